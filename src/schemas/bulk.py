"""Bulk changes: one action on many tickets, in requests and in responses."""

from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from models import Priority, TicketStatus
from models.ticket import MAX_TAGS
from schemas.documented import is_absent
from schemas.numbers import MAX_SAFE_INTEGER, BodyId, whole_number
from schemas.request_body import RequestBody, without_default
from schemas.ticket_queries import QueryText
from schemas.working_fields import AssigneeId, GroupId, NewPriority, Tag

MAX_TICKETS: Final = 1_000
# A body has at most 1,000 members, those of the action included.
MAX_IDS: Final = 900
MAX_DRY_RUN: Final = 10_000
EITHER: Final = "must have either ids or query"
NO_ACTION: Final = "must change at least one field or tag"
_TIME: Final = "2026-03-02T12:31:07.120345Z"
_PROBLEM: Final = "/problems/ticket-closed"

_After = Annotated[int, Field(ge=0, le=MAX_SAFE_INTEGER), BeforeValidator(whole_number)]


class BulkAction(RequestBody):
    """What is changed in each ticket: the fields that are present, and tags. At least one."""

    status: TicketStatus = Field(
        default=TicketStatus.OPEN,
        json_schema_extra=without_default,
        description="The new status; tickets that do not permit this transition are refused.",
        examples=["closed"],
    )
    priority: NewPriority = Priority.NORMAL
    assignee_id: AssigneeId = None
    group_id: GroupId = None
    add_tags: list[Tag] = Field(default=[], max_length=MAX_TAGS, description="Tags to add.", examples=[["vip"]])
    remove_tags: list[Tag] = Field(default=[], max_length=MAX_TAGS, description="Tags to remove.", examples=[["new"]])

    @model_validator(mode="after")
    def _require_an_action(self) -> Self:
        if not self.model_fields_set - {"add_tags", "remove_tags"} and not self.add_tags and not self.remove_tags:
            raise PydanticCustomError("no_action", NO_ACTION)
        return self


class BulkTarget(RequestBody):
    """The tickets of a bulk change, and the action: either `ids` or `query`."""

    ids: list[BodyId] | None = Field(
        default=None, min_length=1, max_length=MAX_IDS, description="The ids of the tickets.", examples=[[1, 2]]
    )
    query: QueryText | None = Field(
        default=None,
        description="Instead of `ids`: all tickets that match the query of `GET /tickets`, in the order of their ids.",
        examples=["status=answered&updated_before=2026-01-01T00:00:00Z"],
    )
    after_ticket_id: _After = Field(
        default=0,
        description="With `query`: only tickets with a higher id. To go on after a bulk change, send its "
        "`last_ticket_id`.",
        examples=[0],
    )
    action: BulkAction = Field(description="What is done with each ticket.")

    @model_validator(mode="after")
    def _require_one_target(self) -> Self:
        if (self.ids is None) == (self.query is None):
            raise PydanticCustomError("either_target", EITHER)
        return self


class BulkRefusals(BaseModel):
    """The tickets that are refused for one reason."""

    problem: str = Field(description="The type of the problem.", examples=[_PROBLEM])
    count: int = Field(description="The number of tickets.", examples=[37])
    ticket_ids: list[int] = Field(description="The first of these tickets, at most 10.", examples=[[3]])


class BulkDryRun(BaseModel):
    """What a bulk change would do to the tickets as they are now."""

    matched: int = Field(description="The number of tickets that were examined.", examples=[4_849])
    would_change: int = Field(description="The number of tickets that would change.", examples=[4_812])
    unchanged: int = Field(description="The number of tickets that have these values already.", examples=[0])
    refused: list[BulkRefusals] = Field(description="The tickets that would be refused, by the type of the problem.")
    truncated: bool = Field(
        description=f"True if the query has more than {MAX_DRY_RUN:,} tickets, of which only the first were examined.",
        examples=[False],
    )


class BulkResult(BaseModel):
    """What became of one ticket: `version` and `changed`, or `problem`."""

    ticket_id: int = Field(description="The id of the ticket.", examples=[1])
    version: int | None = Field(
        default=None, exclude_if=is_absent, description="The version of the ticket after the change.", examples=[3]
    )
    changed: bool | None = Field(
        default=None, exclude_if=is_absent, description="False if it had these values already.", examples=[True]
    )
    problem: str | None = Field(
        default=None,
        exclude_if=is_absent,
        description="The type of the problem for which it was refused.",
        examples=[_PROBLEM],
    )


class BulkRun(BaseModel):
    """A bulk change, which is carried out in the background."""

    id: int = Field(description="The id of the bulk change.", examples=[1])
    state: Literal["running", "finished"] = Field(
        description="`running`: it waits or is carried out. `finished`: each ticket has a result.", examples=["running"]
    )
    total: int = Field(description="The number of tickets.", examples=[2])
    changed: int = Field(description="The number of tickets that were changed so far.", examples=[1])
    unchanged: int = Field(description="The number of tickets so far that had these values already.", examples=[0])
    refused: int = Field(description="The number of tickets that were refused so far.", examples=[0])
    last_ticket_id: int | None = Field(
        description="If the query has more tickets: the last of this bulk change, to go on with `after_ticket_id`.",
        examples=[None],
    )
    results: list[BulkResult] = Field(description="The results so far, in the order of the tickets.")
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=[_TIME])
    finished_at: datetime | None = Field(description="The time of its end, in UTC; null before.", examples=[None])
