"""The history of a ticket."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from models import EventType
from schemas.documented import DocumentedAs, ExtensibleEnum
from schemas.event_data import EventData
from schemas.pages import NextCursor


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
