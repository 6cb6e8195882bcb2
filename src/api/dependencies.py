"""The dependencies of the routes: services, the principal, and the parameters that several routes share."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from pydantic import BeforeValidator, Field

from api.middleware.authentication import PRINCIPAL_KEY
from models.principal import ID_MAX_LENGTH
from schemas.fields import ID_MAX, plain_number
from schemas.lists import Paging, TicketQuery
from schemas.people import PeopleQuery
from services.access.key_service import KeyService
from services.access.principal import Principal
from services.directory.groups import Groups
from services.directory.people import People
from services.directory.principals import Principals
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


async def _people(request: Request) -> People:
    people: People = request.app.state.people
    return people


async def _groups(request: Request) -> Groups:
    groups: Groups = request.app.state.groups
    return groups


async def _principals(request: Request) -> Principals:
    principals: Principals = request.app.state.principals
    return principals


async def _keys(request: Request) -> KeyService:
    keys: KeyService = request.app.state.keys
    return keys


async def _caller(request: Request) -> Principal:
    principal: Principal = request.scope[PRINCIPAL_KEY]
    return principal


def _id(description: str, example: str) -> Any:  # noqa: ANN401 - FastAPI's own type
    return Path(description=description, examples=[example], max_length=ID_MAX_LENGTH, pattern=r"^[^\x00]+$")


Tickets = Annotated[TicketService, Depends(_tickets)]
Lists = Annotated[TicketLists, Depends(_lists)]
Health = Annotated[HealthService, Depends(_health)]
AllPeople = Annotated[People, Depends(_people)]
AllGroups = Annotated[Groups, Depends(_groups)]
AllPrincipals = Annotated[Principals, Depends(_principals)]
AllKeys = Annotated[KeyService, Depends(_keys)]
Caller = Annotated[Principal, Depends(_caller)]
# The bounds precede the validator, so that they are part of the documented schema.
TicketId = Annotated[
    int,
    Field(ge=1, le=ID_MAX),
    BeforeValidator(plain_number),
    Path(description="The id of the ticket.", examples=[1]),
]
PersonId = Annotated[str, _id("The id of the person.", "person:1")]
PrincipalId = Annotated[str, _id("The id of the principal, as `actor` of an event has it.", "key:crm")]
MemberId = Annotated[str, _id("The id of the principal.", "person:1")]
KeyId = Annotated[str, _id("The id of the key: the part of the key between `tk_` and the next underscore.", "4fPq0Zt9")]
GroupId = Annotated[
    int,
    Field(ge=1, le=ID_MAX),
    BeforeValidator(plain_number),
    Path(description="The id of the group.", examples=[1]),
]
Page = Annotated[Paging, Query()]
ListQuery = Annotated[TicketQuery, Query()]
PeopleFilter = Annotated[PeopleQuery, Query()]
