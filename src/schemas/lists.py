"""The query parameters of lists: filters, sort order and page."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from models import Priority, SlaState, TicketStatus
from models.ticket import EXTERNAL_ID_MAX_LENGTH, SOURCE_MAX_LENGTH
from schemas.fields import EMAIL_MAX_LENGTH, ID_MAX, Storable, normal_email, plain_number, plain_truth, text_schema
from schemas.pages import CURSOR_EXAMPLE
from schemas.working_fields import PRINCIPAL_ID_MAX_LENGTH, Tag

QUERY_MAX_LENGTH = 255

Sort = Literal["id", "-id", "created_at", "-created_at", "updated_at", "-updated_at", "priority", "due"]
MAX_ALTERNATIVES: Final = 20
_CUSTOM: Final = "custom."

_DATE_AND_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time", "must be a time from the year 1 to the year 9999, UTC") from None


def _written_out(value: object) -> object:
    """Refuse a bare number, which pydantic reads as seconds or milliseconds since 1970, depending on its size."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and _DATE_AND_TIME.match(value)):
        raise PydanticCustomError("time", "must be a date and a time with an offset, as RFC 3339 writes them")
    return value


Timestamp = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]


def _unless_empty(value: object) -> object:
    """Return None for an empty search, which a form sends for a field that was left empty."""
    return None if value == "" else value


SearchText = Annotated[
    str,
    Field(max_length=QUERY_MAX_LENGTH),
    Storable,
    text_schema(QUERY_MAX_LENGTH, "printer fire", min_length=0),
]

_MORNING: Final = "2026-03-02T09:00:00Z"
_EVENING: Final = "2026-03-02T18:00:00+03:00"


AssigneeFilter = Annotated[
    str, Field(max_length=PRINCIPAL_ID_MAX_LENGTH, pattern=r"^(me|none|anonymous|[a-z]+:[^\x00]+)$")
]
GroupFilter = Annotated[str, Field(pattern="^(none|[1-9][0-9]{0,17})$")]
ExternalIdFilter = Annotated[str, Field(min_length=1, max_length=EXTERNAL_ID_MAX_LENGTH, pattern=r"^[^\x00]+$")]
SourceFilter = Annotated[str, Field(min_length=1, max_length=SOURCE_MAX_LENGTH, pattern=r"^[^\x00]+$")]
IdFilter = Annotated[int, Field(ge=1, le=ID_MAX), BeforeValidator(plain_number)]


class Paging(BaseModel):
    """The page of a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, BeforeValidator(plain_number)] = Field(
        default=50, ge=1, le=100, description="The maximum number of items in the page.", examples=[20]
    )
    cursor: str | None = Field(
        default=None,
        max_length=512,
        description="The `next_cursor` of the previous page, unchanged; absent for the first page.",
        examples=[CURSOR_EXAMPLE],
    )


class CommentPaging(Paging):
    """The page of a list of comments."""

    include: Literal["merged"] | None = Field(
        default=None,
        description="`merged`: with the comments of the tickets that were merged into this one.",
        examples=["merged"],
    )


class TicketFilters(BaseModel):
    """The filters of a list of tickets, all of which apply."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: list[TicketStatus] = Field(
        default=[],
        description="Tickets with this status. Repeat the parameter for several statuses.",
        max_length=4,
        examples=[["open", "awaiting_reply"]],
    )
    email: Annotated[str, AfterValidator(normal_email)] | None = Field(
        default=None,
        max_length=EMAIL_MAX_LENGTH,
        pattern="^[^\\x00]*$",
        description="Tickets of the requester with this email address. The comparison ignores case.",
        examples=["alice@example.com"],
    )
    created_after: Timestamp | None = Field(
        default=None, description="Tickets created at this time or later.", examples=[_MORNING]
    )
    created_before: Timestamp | None = Field(
        default=None, description="Tickets created before this time.", examples=[_EVENING]
    )
    updated_after: Timestamp | None = Field(
        default=None,
        description=(
            "Tickets last changed at this time or later. A change becomes visible when it is committed, which may be "
            "some seconds after its `updated_at`. A client that polls for changes therefore repeats the last minute of "
            "its previous request, and ignores each version that it has already."
        ),
        examples=[_MORNING],
    )
    updated_before: Timestamp | None = Field(
        default=None, description="Tickets last changed before this time.", examples=[_EVENING]
    )
    closed_after: Timestamp | None = Field(
        default=None, description="Tickets closed at this time or later.", examples=[_MORNING]
    )
    closed_before: Timestamp | None = Field(
        default=None, description="Tickets closed before this time.", examples=[_EVENING]
    )
    q: Annotated[SearchText | None, BeforeValidator(_unless_empty)] = Field(
        default=None,
        description=(
            "Tickets whose subject, text and comments contain these words, in any inflected form (Russian and "
            'English). `printer fire` finds both words, `"blue screen"` a phrase, `printer OR scanner` either word; '
            "`-smoke` excludes a word. Stop words such as `the` and `on` are ignored. An empty search is no filter."
        ),
        examples=["printer fire"],
    )
    assignee: list[AssigneeFilter] = Field(
        default=[],
        max_length=MAX_ALTERNATIVES,
        description="Tickets of this assignee: the id of a principal, `me` for the caller, or `none`. Repeat the "
        "parameter for any of several.",
        examples=[["me", "none"]],
    )
    group: list[GroupFilter] = Field(
        default=[],
        max_length=MAX_ALTERNATIVES,
        description="Tickets of this group: its id, or `none`. Repeat the parameter for any of several.",
        examples=[["1", "none"]],
    )
    priority: list[Priority] = Field(
        default=[],
        max_length=len(Priority),
        description="Tickets with this priority. Repeat the parameter for any of several.",
        examples=[["urgent", "high"]],
    )
    tag: list[Tag] = Field(
        default=[],
        max_length=10,
        description="Tickets with this tag. Repeat the parameter for tickets that have all of several tags.",
        examples=[["printer"]],
    )
    participant: Annotated[str, AfterValidator(normal_email)] | None = Field(
        default=None,
        max_length=EMAIL_MAX_LENGTH,
        pattern="^[^\\x00]*$",
        description="Tickets in which this email address participates. The comparison ignores case.",
        examples=["carol@example.com"],
    )
    external_id: ExternalIdFilter | None = Field(
        default=None, description="Tickets with this id in another system.", examples=["A-1001"]
    )
    source: SourceFilter | None = Field(
        default=None, description="Tickets of this other system. Requires `external_id`.", examples=["shop"]
    )
    follow_up_of: IdFilter | None = Field(
        default=None, description="Tickets that continue this closed ticket.", examples=[1]
    )
    merged_into: IdFilter | None = Field(
        default=None, description="Tickets that were merged into this ticket, not over others.", examples=[2]
    )
    due_before: Timestamp | None = Field(
        default=None, description="Tickets with a running clock that is due before this time.", examples=[_EVENING]
    )
    sla: list[SlaState] = Field(
        default=[],
        max_length=len(SlaState),
        description="`breached`: tickets with a clock that was breached, whether it was met later or not. `at_risk`: "
        "others, with a clock that is running or paused after its warning, at 80 % of the budget. A further question "
        "begins `next_response` again, and an earlier breach of this clock does not count any more. Repeat the "
        "parameter for either.",
        examples=[["breached", "at_risk"]],
    )
    snoozed: Annotated[bool, BeforeValidator(plain_truth)] | None = Field(
        default=None,
        description="False: without the tickets that the caller has snoozed with a reminder. True: these tickets only.",
        examples=[False],
    )
    _custom: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def custom(self) -> Mapping[str, str]:
        """The filters by custom fields: the texts of the parameters `custom.KEY`, by key."""
        return self._custom

    @model_validator(mode="wrap")
    @classmethod
    def _take_custom(cls, sent: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401 - what was sent
        """Take the parameters `custom.KEY`, whose names no model can list."""
        taken = {name: value for name, value in sent.items() if isinstance(name, str) and name.startswith(_CUSTOM)}
        query = validate({name: value for name, value in sent.items() if name not in taken})
        query._custom = {name.removeprefix(_CUSTOM): value for name, value in taken.items()}  # noqa: SLF001 - of the class itself
        return query

    @model_validator(mode="after")
    def _require_external_id(self) -> Self:
        if self.source is not None and self.external_id is None:
            raise PydanticCustomError("source_alone", "is required with source", {"member": "external_id"})
        return self


class TicketQuery(TicketFilters, Paging):
    """The page of a list of tickets: filters, all of which apply, and the sort order."""

    sort: Sort = Field(
        default="-id",
        description="The field to sort by; with `-` in descending order. `priority`: the most urgent first, then the "
        "oldest. `due`: by `due_at`, for agents; only tickets that have one. A clock that was breached and is resumed "
        "has the time of its resumption.",
        examples=["-updated_at"],
    )
