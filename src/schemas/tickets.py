"""What a ticket and its comments look like on the way in and on the way out."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from models import EventType, TicketStatus
from schemas.fields import Email, Subject, Text

# Not validated again on the way out.
_email_address = Field(json_schema_extra={"format": "email"})


def _without_default(schema: JsonDict) -> None:
    schema.pop("default", None)


class _Sent(BaseModel):
    """A body that came in: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TicketCreate(_Sent):
    """A new ticket; it starts `open`."""

    subject: Subject
    text: Text
    email: Annotated[Email, Field(description="Who asks.")]


class TicketPatch(_Sent):
    """A merge patch (RFC 7396): the fields that are there are changed, at least one must be."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    # The defaults stand for "not sent" and are never read: `model_fields_set` names what was sent.
    subject: Subject = Field(default="", json_schema_extra=_without_default)
    text: Text = Field(default="", json_schema_extra=_without_default)
    status: TicketStatus = Field(default=TicketStatus.OPEN, json_schema_extra=_without_default)

    @model_validator(mode="after")
    def _something_is_sent(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("empty_patch", "must change at least one of: subject, text, status")
        return self


class CommentCreate(_Sent):
    """A new comment; with `status`, the ticket makes that transition in the same transaction."""

    email: Annotated[Email, Field(description="Who writes.")]
    text: Text
    status: TicketStatus | None = None


class Comment(BaseModel):
    """One contribution to the discussion of a ticket."""

    id: int
    ticket_id: int
    email: str = _email_address
    text: str
    created_at: datetime


class CommentAdded(BaseModel):
    """A comment, and the version of its ticket that it made."""

    comment: Comment
    version: int


class Ticket(BaseModel):
    """A ticket as it stands. `version` is the number of its changes, and its ETag."""

    id: int
    subject: str
    text: str
    email: str = _email_address
    status: TicketStatus
    allowed_transitions: list[TicketStatus] = Field(description="What `status` may become.")
    version: int
    comment_count: int
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None


class TicketDetails(Ticket):
    """A ticket with the latest of its comments, in reading order."""

    comments: list[Comment]


class TicketPage(BaseModel):
    """Some tickets, and where the next ones are."""

    items: list[Ticket]
    next_cursor: str | None = Field(description="Ask again with `cursor` set to this; null on the last page.")


class CommentPage(BaseModel):
    """Some comments of a ticket, and where the next ones are."""

    items: list[Comment]
    next_cursor: str | None = Field(description="Ask again with `cursor` set to this; null on the last page.")


class Event(BaseModel):
    """What made one version of a ticket."""

    version: int
    type: EventType
    data: dict[str, Any] = Field(description="What changed: a field with `from` and `to`, or the `comment_id`.")
    actor: str
    created_at: datetime


class EventPage(BaseModel):
    """Some of a ticket's history, and where the next of it is."""

    items: list[Event]
    next_cursor: str | None = Field(description="Ask again with `cursor` set to this; null on the last page.")


class Workflow(BaseModel):
    """The status machine."""

    initial: TicketStatus
    transitions: dict[TicketStatus, list[TicketStatus]]
    mermaid: str = Field(description="The same as a Mermaid state diagram.")
