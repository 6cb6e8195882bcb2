"""The routes of the desk, in one router: a list beside the code, so that the wiring stays untouched."""

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope

from api.paths import DESK
from desk.routes import assets, keys, lists, live, tickets


class DeskRouter(APIRouter):
    """The routes of the desk. Requests of the API pass them with one comparison.

    The router of FastAPI tries the routes one by one. With those of the API before it, a page took 0.5 ms longer.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether one of the routes fits a request."""
        if scope["type"] != "http" or scope["path"] not in DESK:
            return Match.NONE, {}
        return super().matches(scope)


def desk_router() -> DeskRouter:
    """Return a router with all routes, the most frequent ones first."""
    router = DeskRouter()
    for part in (lists, tickets, live, keys, assets):
        router.routes.extend(part.router.routes)
    return router
