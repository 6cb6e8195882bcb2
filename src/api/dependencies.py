"""What the routes ask for: the services, and the parts of a request that several routes share."""

import re
from typing import Annotated, Final

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from schemas.fields import ID_MAX
from services.health import HealthService
from services.tickets import TicketService

# As many digits as an id can have, and no zero in front.
_PLAIN_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")


async def _tickets(request: Request) -> TicketService:
    service: TicketService = request.app.state.tickets
    return service


async def _health(request: Request) -> HealthService:
    service: HealthService = request.app.state.health
    return service


Tickets = Annotated[TicketService, Depends(_tickets)]
Health = Annotated[HealthService, Depends(_health)]


def _plain_number(sent: str) -> str:
    """Refuse what Python would also read as a number (`+1`, `1_0`, ` 1`, `1.0`), so that each has one address."""
    if not _PLAIN_NUMBER.fullmatch(sent):
        raise PydanticCustomError("number", "must be a whole number in plain digits")
    return sent


TicketId = Annotated[int, BeforeValidator(_plain_number), Path(ge=1, le=ID_MAX, examples=[1])]


class Paging(BaseModel):
    """How much of a list to give, and from where."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, BeforeValidator(_plain_number)] = Field(default=50, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=512, description="`next_cursor` of the page before.")


Page = Annotated[Paging, Query()]
