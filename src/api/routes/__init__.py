"""One module for each resource. `ROUTERS` lists their routers in the order of the OpenAPI document."""

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter
from fastapi.routing import APIRoute

from api.routes import (
    assignment,
    bulk,
    calendars,
    canned_replies,
    comments,
    counts,
    docs,
    events,
    fields,
    groups,
    health,
    keys,
    links,
    me,
    metrics,
    numbers,
    participants,
    people,
    principals,
    problems,
    reminders,
    root,
    rules,
    sla_policies,
    tags,
    ticket_tags,
    tickets,
    views,
    webhooks,
    workflow,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    counts.router,
    bulk.router,
    tickets.router,
    comments.router,
    assignment.router,
    ticket_tags.router,
    tags.router,
    participants.router,
    links.router,
    reminders.router,
    me.router,
    principals.router,
    people.router,
    groups.router,
    keys.router,
    fields.router,
    sla_policies.router,
    calendars.router,
    events.router,
    webhooks.router,
    rules.router,
    views.router,
    canned_replies.router,
    numbers.router,
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
