"""Policies of service levels, in requests and in responses."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from models import ClockKind
from schemas.clocks import SlaClock
from schemas.fields import Name
from schemas.matching import TicketMatch
from schemas.numbers import BodyId, whole_number
from schemas.request_body import MergePatch, RequestBody, without_default

# A year.
MAX_BUDGET_S: Final = 31_536_000
MAX_POSITION: Final = 1_000_000
MAX_RECOMPUTED: Final = 500
_TIME: Final = "2026-03-02T12:31:07.120345Z"

_NAME: Final = "The name. No two policies have the same one, whatever its case."
_CALENDAR: Final = "The id of the calendar in whose working time the budgets are spent."
_MATCH: Final = "Which tickets the policy is for. Without conditions: all."
_POSITION: Final = "The place in the order of the policies: a ticket is under the first active policy that matches it."
_FIRST: Final = "The seconds until a new ticket is answered or closed; null: no such clock."
_NEXT: Final = "The seconds until a ticket is answered or closed that became `awaiting_reply`; null: no such clock."
_RESOLUTION: Final = (
    "The seconds until a ticket is closed, without the time in which it is `answered`; null: no such clock."
)

_Budget = Annotated[int, Field(ge=1, le=MAX_BUDGET_S), BeforeValidator(whole_number)]
_Position = Annotated[int, Field(ge=0, le=MAX_POSITION), BeforeValidator(whole_number)]


class SlaPolicyCreate(RequestBody):
    """A new policy, with at least one budget."""

    name: Annotated[Name, Field(description=_NAME)]
    calendar_id: BodyId = Field(description=_CALENDAR, examples=[1])
    match: TicketMatch = Field(default=TicketMatch(), description=_MATCH, json_schema_extra=without_default)
    position: _Position | None = Field(
        default=None, description=f"{_POSITION} Null or absent: after all others.", examples=[10]
    )
    first_response_s: _Budget | None = Field(default=None, description=_FIRST, examples=[3_600])
    next_response_s: _Budget | None = Field(default=None, description=_NEXT, examples=[7_200])
    resolution_s: _Budget | None = Field(default=None, description=_RESOLUTION, examples=[144_000])

    @model_validator(mode="after")
    def _require_a_budget(self) -> "SlaPolicyCreate":
        if all(getattr(self, f"{kind}_s") is None for kind in ClockKind):
            raise PydanticCustomError("no_budget", "must have at least one budget")
        return self


class SlaPolicyPatch(MergePatch):
    """A JSON merge patch (RFC 7396): the fields that are present replace the stored values.

    At least one is required. `match` is replaced as a whole.
    """

    name: Annotated[Name, Field(description=_NAME)] = Field(default="", json_schema_extra=without_default)
    calendar_id: BodyId = Field(default=1, json_schema_extra=without_default, description=_CALENDAR, examples=[1])
    match: TicketMatch = Field(default=TicketMatch(), description=_MATCH, json_schema_extra=without_default)
    position: _Position = Field(default=0, json_schema_extra=without_default, description=_POSITION, examples=[10])
    first_response_s: _Budget | None = Field(
        default=None, json_schema_extra=without_default, description=_FIRST, examples=[3_600]
    )
    next_response_s: _Budget | None = Field(
        default=None, json_schema_extra=without_default, description=_NEXT, examples=[7_200]
    )
    resolution_s: _Budget | None = Field(
        default=None, json_schema_extra=without_default, description=_RESOLUTION, examples=[144_000]
    )
    active: Annotated[bool, Field(strict=True)] = Field(
        default=True, json_schema_extra=without_default, description="False if no more tickets come under the policy."
    )


class SlaPolicy(BaseModel):
    """A policy of service levels. What it promised stays promised: a change is for tickets that come under it later."""

    id: int = Field(description="The id of the policy.", examples=[1])
    name: str = Field(description="The name.", examples=["Important customers"])
    position: int = Field(description=_POSITION, examples=[10])
    calendar_id: int = Field(description=_CALENDAR, examples=[1])
    match: TicketMatch = Field(description=_MATCH)
    first_response_s: int | None = Field(description=_FIRST, examples=[3_600])
    next_response_s: int | None = Field(description=_NEXT, examples=[7_200])
    resolution_s: int | None = Field(description=_RESOLUTION, examples=[144_000])
    active: bool = Field(description="False if no more tickets come under the policy.", examples=[True])
    version: int = Field(
        description="Starts at 1. Each change of the policy adds 1. Also sent as the `ETag`.", examples=[1]
    )
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=[_TIME])
    updated_at: datetime = Field(description="The time of the last change, in UTC.", examples=[_TIME])


class SlaPolicyList(BaseModel):
    """All policies."""

    items: list[SlaPolicy] = Field(description="The policies, in their order.")


class Recompute(RequestBody):
    """A request to apply policies to tickets that are not closed."""

    dry_run: Annotated[bool, Field(strict=True)] = Field(
        default=True, description="True: report what would change, and change nothing.", examples=[True]
    )
    after_ticket_id: BodyId | None = Field(
        default=None,
        description="`next_after` of the response before; null or absent: from the first.",
        examples=[None],
    )


class RecomputedTicket(BaseModel):
    """A ticket whose clocks change."""

    ticket_id: int = Field(description="The id of the ticket.", examples=[42])
    before: list[SlaClock] = Field(description="Its clocks before.")
    after: list[SlaClock] = Field(description="Its clocks after.")


class Recomputed(BaseModel):
    """What was recomputed, or would be."""

    examined: int = Field(description="How many tickets were examined.", examples=[500])
    items: list[RecomputedTicket] = Field(description="The tickets whose clocks changed, or would change.")
    next_after: int | None = Field(
        description="Send it as `after_ticket_id` to go on with the tickets after this one; null if these were all.",
        examples=[None],
    )
