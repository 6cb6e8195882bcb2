"""One module for each resource. `ROUTERS` lists their routers in the order of the OpenAPI document."""

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter
from fastapi.routing import APIRoute

from api.routes import (
    comments,
    docs,
    groups,
    health,
    keys,
    me,
    metrics,
    people,
    principals,
    problems,
    root,
    tickets,
    workflow,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    tickets.router,
    comments.router,
    me.router,
    principals.router,
    people.router,
    groups.router,
    keys.router,
    workflow.router,
    health.router,
    metrics.router,
    problems.router,
    docs.router,
    root.router,
)


def route_of(router: APIRouter, endpoint: Callable[..., object]) -> APIRoute:
    """Return the route of an endpoint."""
    return next(route for route in router.routes if isinstance(route, APIRoute) and route.endpoint is endpoint)
