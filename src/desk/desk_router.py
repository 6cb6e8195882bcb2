"""The router of the desk: it finds the route of a page, and calls its endpoint without the machinery of FastAPI.

The endpoints of pages need one object, so there are no dependencies to solve, no bodies to parse and no models to
serialize. With FastAPI's own handling, behind the routes of the API, a page took 0.7 ms longer: more than it takes to
render.
"""

from collections.abc import Awaitable, Callable, Sequence
from inspect import signature
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from api.paths import PAGES
from desk.desk_request import desk_request

_TELEMETRY: Final = "fastapi.telemetry"
_ASKED: Final = "asked"

Endpoint = Callable[..., Awaitable[Response]]


class DeskRouter(APIRouter):
    """Serves its routes in their order. Requests of the API pass it with one comparison.

    It calls an endpoint that has the parameter `asked` itself; the others of its parameters are those of the path, all
    of them texts. FastAPI handles the other endpoints, and requests that are traced.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        super().__init__()
        self.routes.extend(routes)
        self._pages: Final = [
            route for route in routes if isinstance(route, APIRoute) and _ASKED in signature(route.endpoint).parameters
        ]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether one of the routes fits a request."""
        if scope["type"] != "http" or scope["path"] not in PAGES:
            return Match.NONE, {}
        return (Match.FULL, {}) if self._page(scope) is not None else super().matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the endpoint of a request that one of the routes fits."""
        found = None if scope.get(_TELEMETRY) is not None else self._page(scope)
        if found is None:
            await super().handle(scope, receive, send)
            return
        route, parameters = found
        scope["route"], scope["path_params"] = route, parameters  # as FastAPI does, for the access log
        endpoint: Endpoint = route.endpoint
        response = await endpoint(**parameters, asked=await desk_request(Request(scope, receive)))
        await response(scope, receive, send)

    def _page(self, scope: Scope) -> tuple[APIRoute, dict[str, Any]] | None:
        path, method = scope["path"], scope["method"]
        for route in self._pages:
            if method in (route.methods or ()) and (match := route.path_regex.match(path)):
                return route, match.groupdict()
        return None
