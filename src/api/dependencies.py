"""What the routes ask for: the services, and the parts of a request that several routes share."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import ID_MAX
from services.health import HealthService
from services.tickets import TicketService


async def _tickets(request: Request) -> TicketService:
    service: TicketService = request.app.state.tickets
    return service


async def _health(request: Request) -> HealthService:
    service: HealthService = request.app.state.health
    return service


Tickets = Annotated[TicketService, Depends(_tickets)]
Health = Annotated[HealthService, Depends(_health)]
TicketId = Annotated[int, Path(ge=1, le=ID_MAX, examples=[1])]


class Paging(BaseModel):
    """How much of a list to give, and from where."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=512, description="`next_cursor` of the page before.")


Page = Annotated[Paging, Query()]
