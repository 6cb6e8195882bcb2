"""The query parameters of lists: filters, sort order and page."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from models import TicketStatus
from schemas.fields import EMAIL_MAX_LENGTH, Storable, normal_email, plain_number, text_schema
from schemas.pages import CURSOR_EXAMPLE

QUERY_MAX_LENGTH = 255

Sort = Literal["id", "-id", "created_at", "-created_at", "updated_at", "-updated_at"]

_DATE_AND_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time", "must be a time from the year 1 to the year 9999, UTC") from None


def _written_out(value: object) -> object:
    """Refuse a bare number, which pydantic reads as seconds or milliseconds since 1970, depending on its size."""
    if isinstance(value, str) and not _DATE_AND_TIME.match(value):
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


class TicketQuery(Paging):
    """The page of a list of tickets: filters, all of which apply, and the sort order."""

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
    q: Annotated[SearchText | None, BeforeValidator(_unless_empty)] = Field(
        default=None,
        description=(
            "Tickets whose subject, text and comments contain these words, in any inflected form (Russian and "
            'English). `printer fire` finds both words, `"blue screen"` a phrase, `printer OR scanner` either word; '
            "`-smoke` excludes a word. Stop words such as `the` and `on` are ignored. An empty search is no filter."
        ),
        examples=["printer fire"],
    )
    sort: Sort = Field(
        default="-id",
        description="The field to sort by; with `-` in descending order.",
        examples=["-updated_at"],
    )
