"""The history of a ticket."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from models import EventType, TicketStatus
from schemas.documented import DocumentedAs, ExtensibleEnum
from schemas.pages import NextCursor


class TextChange(BaseModel):
    """A text before and after a change."""

    before: str = Field(alias="from", description="The previous value.", examples=["The printer is on fire"])
    after: str = Field(alias="to", description="The new value.", examples=["The printer is out"])


class StatusChange(BaseModel):
    """A status before and after a transition."""

    before: TicketStatus = Field(alias="from", description="The previous status.", examples=["open"])
    after: TicketStatus = Field(alias="to", description="The new status.", examples=["answered"])


def _nothing_required(schema: JsonDict) -> None:
    schema.pop("required", None)


class EventData(BaseModel):
    """The details of an event: each changed field with its previous and its new value, and the id of a new comment.

    Only the members that apply are present. Later event types add members, so clients ignore unknown ones.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra=_nothing_required)

    subject: TextChange = Field(description="Present if the subject was changed.")
    text: TextChange = Field(description="Present if the text was changed.")
    status: StatusChange = Field(description="Present if the status was changed.")
    comment_id: int = Field(description="Present if a comment was added: its id.", examples=[1])


class Event(BaseModel):
    """A change of a ticket. Each version of a ticket has exactly one event."""

    version: int = Field(description="The version of the ticket that the event created.", examples=[2])
    type: Annotated[EventType, ExtensibleEnum()] = Field(
        description="The kind of change. Values may be added; clients ignore events of an unknown type."
    )
    # Stored and returned as it is: the members keep the order of PostgreSQL's jsonb.
    data: Annotated[dict[str, Any], DocumentedAs(EventData)] = Field(description="The details of the change.")
    actor: str = Field(
        description="The principal that made the change, which `GET /principals/{principal_id}` returns: `key:` with "
        "the name of an API key, `person:` with a number, or `anonymous`. Events of earlier releases name people by "
        "`oidc:` and the subject of their token. Other forms may be added.",
        examples=["key:crm"],
    )
    created_at: datetime = Field(
        description="The time of the change, in UTC.", examples=["2026-03-02T12:33:41.904112Z"]
    )


class EventPage(BaseModel):
    """A page of a ticket's history."""

    items: list[Event] = Field(description="The events, in the order of their versions.")
    next_cursor: NextCursor
