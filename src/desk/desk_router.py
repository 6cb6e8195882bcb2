"""The router of the desk: it finds the route of a request, and calls its endpoint without the machinery of FastAPI.

The endpoints need one object, so there are no dependencies to solve, no bodies to parse and no models to serialize.
With FastAPI's own handling, behind the routes of the API, a page took 0.7 ms longer: more than it takes to render.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from api.paths import DESK, DESK_ASSETS
from desk.desk_request import desk_request

_TELEMETRY: Final = "fastapi.telemetry"

Endpoint = Callable[..., Awaitable[Response]]


class DeskRouter(APIRouter):
    """Serves its routes, each with the methods and the path of a FastAPI route, in their order.

    An endpoint has the parameters of its path, all of them texts, and `asked`; one of `DESK_ASSETS` has `request`
    instead, because these paths are public. Requests of the API pass the router with one comparison.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        super().__init__()
        self.routes.extend(routes)
        self._routes: Final = [route for route in routes if isinstance(route, APIRoute)]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether one of the routes fits a request."""
        if scope["type"] != "http" or scope["path"] not in DESK:
            return Match.NONE, {}
        if self._selected(scope) is not None:
            return Match.FULL, {}
        return super().matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the endpoint. Requests that are traced, and those that no route fits, take FastAPI's own way."""
        selected = self._selected(scope)
        if selected is None or scope.get(_TELEMETRY) is not None:
            await super().handle(scope, receive, send)
            return
        scope["route"], scope["path_params"] = selected  # as FastAPI does, for the access log
        response = await _call(*selected, Request(scope, receive))
        await response(scope, receive, send)

    def _selected(self, scope: Scope) -> tuple[APIRoute, dict[str, str]] | None:
        path, method = scope["path"], scope["method"]
        for route in self._routes:
            if method in (route.methods or ()) and (match := route.path_regex.match(path)):
                return route, match.groupdict()
        return None


async def _call(route: APIRoute, parameters: dict[str, Any], request: Request) -> Response:
    endpoint: Endpoint = route.endpoint
    if request.scope["path"] in DESK_ASSETS:
        return await endpoint(**parameters, request=request)
    return await endpoint(**parameters, asked=await desk_request(request))
