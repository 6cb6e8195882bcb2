"""The dependencies of the routes: services, the principal, and the parameters that several routes share."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import BeforeValidator, Field

from api.middleware.authentication import PRINCIPAL_KEY
from schemas.fields import ID_MAX, plain_number
from schemas.lists import Paging, TicketQuery
from services.access.principal import Principal
from services.operation.health import HealthService
from services.tickets.lists import TicketLists
from services.tickets.service import TicketService


async def _tickets(request: Request) -> TicketService:
    service: TicketService = request.app.state.tickets
    return service


async def _lists(request: Request) -> TicketLists:
    lists: TicketLists = request.app.state.lists
    return lists


async def _health(request: Request) -> HealthService:
    service: HealthService = request.app.state.health
    return service


async def _caller(request: Request) -> Principal:
    principal: Principal = request.scope[PRINCIPAL_KEY]
    return principal


Tickets = Annotated[TicketService, Depends(_tickets)]
Lists = Annotated[TicketLists, Depends(_lists)]
Health = Annotated[HealthService, Depends(_health)]
Caller = Annotated[Principal, Depends(_caller)]
# The bounds precede the validator, so that they are part of the documented schema.
TicketId = Annotated[
    int,
    Field(ge=1, le=ID_MAX),
    BeforeValidator(plain_number),
    Path(description="The id of the ticket.", examples=[1]),
]
Page = Annotated[Paging, Query()]
ListQuery = Annotated[TicketQuery, Query()]
