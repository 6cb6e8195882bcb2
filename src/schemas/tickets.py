"""Tickets and comments, in requests and in responses."""

from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from models import Audience, LinkType, Priority, TicketStatus
from schemas.clocks import SlaClock
from schemas.custom_values import CustomValue, CustomValues
from schemas.fields import Email, Subject, Text
from schemas.numbers import BodyId
from schemas.pages import NextCursor
from schemas.working_fields import AssigneeId, ExternalId, GroupId, NewPriority, Source, Tags

INTERNAL_MEMBERS: Final = frozenset(
    {"assignee_id", "group_id", "tags", "source", "external_id", "note_count", "sla", "due_at", "merged", "links"}
)
"""The members of a ticket that requesters do not get."""


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
    # The defaults are never read: `model_fields_set` names the fields that are present.
    priority: NewPriority = Priority.NORMAL
    assignee_id: AssigneeId = None
    group_id: GroupId = None
    tags: Tags = ()
    custom: CustomValues = Field(default={}, json_schema_extra=_without_default)
    source: Source = None
    external_id: ExternalId = None

    @model_validator(mode="after")
    def _require_source_and_external_id(self) -> Self:
        if (self.source is None) != (self.external_id is None):
            missing = "source" if self.source is None else "external_id"
            raise PydanticCustomError(
                "incomplete_external_id", "is required: source and external_id belong together", {"member": missing}
            )
        return self


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
    priority: NewPriority = Priority.NORMAL
    assignee_id: AssigneeId = None
    group_id: GroupId = None
    tags: Tags = ()
    custom: CustomValues = Field(default={}, json_schema_extra=_without_default)

    @model_validator(mode="after")
    def _require_a_field(self) -> Self:
        if not self.model_fields_set:
            fields = ", ".join(type(self).model_fields)
            raise PydanticCustomError("empty_patch", "must change at least one of: {fields}", {"fields": fields})
        return self


class TicketMerge(_RequestBody):
    """The ticket that another one is merged into."""

    into: Annotated[BodyId, Field(description="The id of the ticket that remains.", examples=[2])]


class CommentCreate(_RequestBody):
    """A new comment, with an optional status transition of the ticket. Only a public comment makes a transition."""

    email: Annotated[Email, Field(description="The email address of the author.")]
    text: Text
    status: TicketStatus | None = Field(
        default=None,
        description="The new status of the ticket, one of its `allowed_transitions`. Comment and transition succeed "
        "together or fail together. Null or absent: the status does not change.",
        examples=["answered"],
    )
    visibility: Audience = Field(
        default=Audience.PUBLIC,
        description="`public`: agents, the requester and the participants see the comment. `internal`: agents only; a "
        "note of agents, which makes no transition.",
        examples=["public"],
    )

    @field_validator("visibility")
    @classmethod
    def _refuse_a_transition_by_a_note(cls, visibility: Audience, info: ValidationInfo) -> Audience:
        if visibility is Audience.INTERNAL and info.data.get("status") is not None:
            raise PydanticCustomError(
                "note_with_status", "must be public if there is a status: a note makes no transition"
            )
        return visibility


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
    visibility: Audience = Field(
        default=Audience.PUBLIC,
        json_schema_extra=_without_default,
        description="`internal` for a note, which only agents see.",
        examples=["public"],
    )


class Ticket(BaseModel):
    """A ticket.

    Requesters do not get the members `assignee_id`, `group_id`, `tags`, `source`, `external_id`, `note_count`, `sla`
    and `due_at`.
    """

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
    comment_count: int = Field(
        description="The number of all comments, internal notes included. For requesters: of the public ones.",
        examples=[0],
    )
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=["2026-03-02T12:31:07.120345Z"])
    updated_at: datetime = Field(
        description="The time of the last change, in UTC; a new comment is a change.",
        examples=["2026-03-02T12:31:07.120345Z"],
    )
    closed_at: datetime | None = Field(
        description="The time of the transition to `closed`, in UTC; null before.",
        examples=["2026-03-02T13:02:15.002731Z"],
    )
    priority: Priority = Field(description="The priority.", examples=["normal"])
    participants: list[str] = Field(
        description="The email addresses of others who see the ticket and comment on it as its requester does.",
        examples=[["carol@example.com"]],
    )
    custom: dict[str, CustomValue] = Field(
        description="The values of the custom fields, by key. For requesters: of the fields that they may see.",
        examples=[{"device": "printer"}],
    )
    follow_up_of: int | None = Field(
        description="The closed ticket that this one continues; null if there is none.", examples=[None]
    )
    merged_into: int | None = Field(
        description="The ticket that this one was merged into; null if it was not merged.", examples=[None]
    )
    auto_close_at: datetime | None = Field(
        default=None,
        json_schema_extra=_without_default,
        description="The time at which the ticket is closed if its requester does not comment and its status "
        "does not change, in UTC; null if it is not closed by itself.",
        examples=[None],
    )
    assignee_id: str | None = Field(
        default=None,
        json_schema_extra=_without_default,
        description="The principal that works on the ticket; null if there is none.",
        examples=["person:17"],
    )
    group_id: int | None = Field(
        default=None,
        json_schema_extra=_without_default,
        description="The group that is responsible for the ticket; null if there is none.",
        examples=[3],
    )
    tags: list[str] = Field(
        default=[], json_schema_extra=_without_default, description="The tags, sorted.", examples=[["printer", "vip"]]
    )
    source: str | None = Field(
        default=None,
        json_schema_extra=_without_default,
        description="The system in which the ticket has `external_id`.",
        examples=["shop"],
    )
    external_id: str | None = Field(
        default=None,
        json_schema_extra=_without_default,
        description="The id of the ticket in another system, unique for each `source`.",
        examples=["A-1001"],
    )
    note_count: int = Field(
        default=0, json_schema_extra=_without_default, description="The number of internal notes.", examples=[0]
    )
    sla: list[SlaClock] = Field(
        default=[],
        json_schema_extra=_without_default,
        description="The clocks of the policy of service levels that the ticket is under; empty if it is under none.",
    )
    due_at: datetime | None = Field(
        default=None,
        json_schema_extra=_without_default,
        description="The earliest `due_at` of the running clocks, in UTC; null if none runs.",
        examples=["2026-03-02T13:31:07.120345Z"],
    )


class TicketLink(BaseModel):
    """A link to another ticket."""

    type: LinkType = Field(description="What this ticket is to the other one.", examples=["blocks"])
    ticket_id: int = Field(description="The id of the other ticket.", examples=[2])


class TicketDetails(Ticket):
    """A ticket with its latest comments."""

    comments: list[Comment] = Field(
        description="The latest comments, oldest first: at most 50, and at most 256 KiB of their texts in UTF-8, but "
        "at least the latest one. `GET /tickets/{ticket_id}/comments` returns all."
    )
    comments_truncated: bool = Field(
        description="True if `comments` does not contain all comments of the ticket.", examples=[False]
    )
    follow_ups: list[int] = Field(
        description="The tickets that continue this one after it was closed, at most 100.", examples=[[]]
    )
    merged: list[int] = Field(
        default=[],
        json_schema_extra=_without_default,
        description="The tickets that were merged into this one, directly or over others, at most 100. Requesters do "
        "not get this member.",
        examples=[[]],
    )
    links: list[TicketLink] = Field(
        default=[],
        json_schema_extra=_without_default,
        description="The links to other tickets, at most 100. Requesters do not get this member.",
    )


class TicketPage(BaseModel):
    """A page of tickets, without their comments."""

    items: list[Ticket] = Field(description="The tickets, in the requested order.")
    next_cursor: NextCursor


class CommentPage(BaseModel):
    """A page of a ticket's comments."""

    items: list[Comment] = Field(description="The comments, oldest first.")
    next_cursor: NextCursor
