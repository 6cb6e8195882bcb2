"""Tickets and comments, in requests and in responses."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from models import TicketStatus
from schemas.fields import Email, Subject, Text
from schemas.pages import NextCursor


def _without_default(schema: JsonDict) -> None:
    schema.pop("default", None)


class _RequestBody(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TicketCreate(_RequestBody):
    """A new ticket. Its status is `open`."""

    subject: Subject
    text: Text
    email: Annotated[Email, Field(description="The email address of the requester.")]


class TicketPatch(_RequestBody):
    """A JSON merge patch (RFC 7396): the fields that are present replace the stored values.

    At least one is required.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    # The defaults are never read: `model_fields_set` names the fields that are present.
    subject: Subject = Field(default="", json_schema_extra=_without_default)
    text: Text = Field(default="", json_schema_extra=_without_default)
    status: TicketStatus = Field(
        default=TicketStatus.OPEN,
        json_schema_extra=_without_default,
        description="The new status, one of the ticket's `allowed_transitions`.",
        examples=["closed"],
    )

    @model_validator(mode="after")
    def _require_a_field(self) -> Self:
        if not self.model_fields_set:
            fields = ", ".join(type(self).model_fields)
            raise PydanticCustomError("empty_patch", "must change at least one of: {fields}", {"fields": fields})
        return self


class CommentCreate(_RequestBody):
    """A new comment, with an optional status transition of the ticket."""

    email: Annotated[Email, Field(description="The email address of the author.")]
    text: Text
    status: TicketStatus | None = Field(
        default=None,
        description="The new status of the ticket, one of its `allowed_transitions`. Comment and transition succeed "
        "together or fail together. Null or absent: the status does not change.",
        examples=["answered"],
    )


class Comment(BaseModel):
    """A comment on a ticket."""

    id: int = Field(description="The id of the comment, unique across all tickets.", examples=[1])
    ticket_id: int = Field(description="The id of the ticket.", examples=[1])
    # Validated when it was received, not again in responses.
    email: str = Field(
        description="The email address of the author.",
        examples=["bob@example.com"],
        json_schema_extra={"format": "email"},
    )
    text: str = Field(description="The text, as sent.", examples=["Have you tried water?"])
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=["2026-03-02T12:33:41.904112Z"])


class Ticket(BaseModel):
    """A ticket."""

    id: int = Field(description="The id of the ticket.", examples=[1])
    subject: str = Field(description="The subject, as sent.", examples=["The printer is on fire"])
    text: str = Field(description="The text, as sent.", examples=["It started after lunch."])
    email: str = Field(
        description="The email address of the requester; its domain is in lower case.",
        examples=["alice@example.com"],
        json_schema_extra={"format": "email"},
    )
    status: TicketStatus = Field(description="The current status.", examples=["open"])
    allowed_transitions: list[TicketStatus] = Field(
        description="The statuses that the ticket can change to; empty if it is closed.",
        examples=[["answered", "closed"]],
    )
    version: int = Field(
        description="Starts at 1. Each change of the ticket, a new comment included, adds 1. Also sent as the `ETag`.",
        examples=[1],
    )
    comment_count: int = Field(description="The number of all comments.", examples=[0])
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=["2026-03-02T12:31:07.120345Z"])
    updated_at: datetime = Field(
        description="The time of the last change, in UTC; a new comment is a change.",
        examples=["2026-03-02T12:31:07.120345Z"],
    )
    closed_at: datetime | None = Field(
        description="The time of the transition to `closed`, in UTC; null before.",
        examples=["2026-03-02T13:02:15.002731Z"],
    )


class TicketDetails(Ticket):
    """A ticket with its latest comments."""

    comments: list[Comment] = Field(
        description="The latest comments, oldest first: at most 50, and at most 256 KiB of their texts in UTF-8, but "
        "at least the latest one. `GET /tickets/{ticket_id}/comments` returns all."
    )
    comments_truncated: bool = Field(
        description="True if `comments` does not contain all comments of the ticket.", examples=[False]
    )


class TicketPage(BaseModel):
    """A page of tickets, without their comments."""

    items: list[Ticket] = Field(description="The tickets, in the requested order.")
    next_cursor: NextCursor


class CommentPage(BaseModel):
    """A page of a ticket's comments."""

    items: list[Comment] = Field(description="The comments, oldest first.")
    next_cursor: NextCursor


class Workflow(BaseModel):
    """The status machine of tickets."""

    initial: TicketStatus = Field(description="The status of a new ticket.", examples=["open"])
    transitions: dict[TicketStatus, list[TicketStatus]] = Field(
        description="Each status with the statuses that it can change to; an empty list marks a final status.",
        examples=[{"open": ["answered", "closed"], "closed": []}],
    )
    mermaid: str = Field(
        description="The same transitions as a Mermaid state diagram.",
        examples=["stateDiagram-v2\n    [*] --> open\n    open --> closed\n    closed --> [*]"],
    )
