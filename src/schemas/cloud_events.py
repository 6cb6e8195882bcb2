"""The feed of events: its query, its pages, and the catalogue of the types."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from models import EventKind
from schemas.documented import DocumentedAs
from schemas.event_data import EventData
from schemas.fields import ID_MAX, plain_number

MAX_EVENTS: Final = 500
MAX_WAIT_S: Final = 25
CURSOR_EXAMPLE: Final = "kpV2mXzZ1r4uQn7y0bD3eFsIjMw1MzRhYzciLCAxMjM0XQ"


class StreamQuery(BaseModel):
    """Where to read the log from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: str = Field(
        default="start",
        max_length=512,
        description="The `next_cursor` of the previous page, unchanged: events after it. `start`: from the oldest "
        "event of the log. `now`: only what happens from now on. A cursor names no filter: the filters may change.",
        examples=["start", "now"],
    )
    limit: Annotated[int, BeforeValidator(plain_number)] = Field(
        default=100,
        ge=1,
        le=MAX_EVENTS,
        description="The maximum number of events in the page, which ends earlier after 4 MiB. A stream ignores it.",
        examples=[100],
    )
    wait: Annotated[int, BeforeValidator(plain_number)] = Field(
        default=0,
        ge=0,
        le=MAX_WAIT_S,
        description="How many seconds to wait for the next event if there is none (long poll). A stream ignores it.",
        examples=[0],
    )
    types: list[EventKind] = Field(
        default=[],
        max_length=20,
        description="Events of this type. Repeat the parameter for several types.",
        examples=[["ticket.created", "ticket.commented"]],
    )


class FeedQuery(StreamQuery):
    """Where to read the log from, and the filters."""

    ticket: Annotated[int, Field(ge=1, le=ID_MAX), BeforeValidator(plain_number)] | None = Field(
        default=None, description="Events of this ticket.", examples=[1]
    )


class CloudEvent(BaseModel):
    """An event as a CloudEvent 1.0. Each version of a ticket has exactly one event; a few events concern no ticket."""

    specversion: Literal["1.0"] = Field(description="The version of CloudEvents.", examples=["1.0"])
    id: str = Field(
        description="The id of the ticket and its version after the change, or 0 and a number. If an event arrives "
        "twice, its id is the same.",
        examples=["42.7"],
    )
    source: Literal["/tickets", "/webhooks"] = Field(description="What the event is about.", examples=["/tickets"])
    type: str = Field(
        description="The type, one of `GET /events/types`. Types may be added; clients ignore unknown ones.",
        examples=["ticket.commented"],
    )
    subject: str = Field(description="The id of the ticket, or of the webhook.", examples=["42"])
    time: datetime = Field(description="The time of the change, in UTC.", examples=["2026-03-02T12:33:41.904112Z"])
    datacontenttype: Literal["application/json"] = Field(
        description="The media type of `data`.", examples=["application/json"]
    )
    sequence: str = Field(
        description="The position in the log, with leading zeros: it sorts as a text.",
        examples=["00000000000000001234"],
    )
    ticketversion: int | None = Field(
        default=None,
        exclude_if=lambda version: version is None,
        description="The version of the ticket after the change. Events of a ticket arrive in this order. Absent if "
        "the event concerns no ticket.",
        examples=[7],
    )
    actor: str = Field(
        description="The principal that made the change: see `GET /principals/{principal_id}`.", examples=["key:crm"]
    )
    data: Annotated[dict[str, Any], DocumentedAs(EventData)] = Field(
        description="All facts of the change that the reader may see."
    )


class EventFeedPage(BaseModel):
    """A page of the feed."""

    items: list[CloudEvent] = Field(
        description="The events, in the order of the log. It may be empty although there are more: filters hid the "
        "events that were read."
    )
    next_cursor: str = Field(
        description="The value of `after` for the next page. It is always present, also at the end of the log.",
        examples=[CURSOR_EXAMPLE],
    )
    has_more: bool = Field(
        description="True if there are more events already; otherwise ask again later, or with `wait`.",
        examples=[False],
    )


class EventKindDetails(BaseModel):
    """A type of event."""

    type: str = Field(description="The type.", examples=["ticket.commented"])
    description: str = Field(description="When such an event happens.", examples=["A public comment was added."])
    data_schema: dict[str, Any] = Field(
        description="The JSON Schema of `data`, whose members are present if they apply.", examples=[{"type": "object"}]
    )
    example: CloudEvent = Field(description="An example.")


class EventKindList(BaseModel):
    """All types of events."""

    items: list[EventKindDetails] = Field(
        description="The types. An event with several facts has the first type of this list that applies."
    )
