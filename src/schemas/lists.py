"""Which rows of a list are wanted, in what order, and from where."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from models import TicketStatus
from schemas.fields import EMAIL_MAX_LENGTH, Storable, normal_email, plain_number, said_of_text

QUERY_MAX_LENGTH = 255

Sort = Literal["id", "-id", "created_at", "-created_at", "updated_at", "-updated_at"]

_DATE_AND_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time", "must be a time from the year 1 to the year 9999, UTC") from None


def _written_out(sent: object) -> object:
    """Refuse a bare number, which would be read as seconds or milliseconds since 1970, whichever seems likelier."""
    if isinstance(sent, str) and not _DATE_AND_TIME.match(sent):
        raise PydanticCustomError("time", "must be a date and a time with an offset, as RFC 3339 writes them")
    return sent


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]


Words = Annotated[
    str,
    Field(min_length=1, max_length=QUERY_MAX_LENGTH),
    Storable,
    said_of_text(QUERY_MAX_LENGTH, "printer fire"),
]


class Paging(BaseModel):
    """How much of a list to give, and from where."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, BeforeValidator(plain_number)] = Field(
        default=50, ge=1, le=100, description="How many to give, at most."
    )
    cursor: str | None = Field(default=None, max_length=512, description="`next_cursor` of the page before.")


class TicketQuery(Paging):
    """A list of tickets: those for which every filter holds."""

    status: list[TicketStatus] = Field(default=[], description="Any of these; may be repeated.", max_length=4)
    email: Annotated[str, AfterValidator(normal_email)] | None = Field(
        default=None, max_length=EMAIL_MAX_LENGTH, pattern="^[^\\x00]*$", description="The requester's, in any case."
    )
    created_after: Moment | None = Field(default=None, description="At this time or later.")
    created_before: Moment | None = Field(default=None, description="Before this time.")
    updated_after: Moment | None = Field(default=None, description="At this time or later.")
    updated_before: Moment | None = Field(default=None, description="Before this time.")
    q: Words | None = Field(
        default=None,
        description=(
            "Words of the subject, the text and the comments, in any form, Russian or English: `printer fire` finds "
            'both words, `"blue screen"` a phrase, `printer OR scanner` either, `-smoke` leaves out. Words like `the` '
            "and `on` are not searched for."
        ),
        examples=["printer fire"],
    )
    sort: Sort = Field(default="-id", description="With `-`, the greatest first.")
