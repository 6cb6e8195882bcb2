"""The deliveries of webhooks and their replays, in requests and in responses."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from models import DeliveryReason, DeliveryState, ReplayState
from schemas.lists import Paging, Timestamp
from schemas.pages import CURSOR_EXAMPLE, NextCursor
from schemas.request_body import RequestBody

_TIME = "2026-03-02T12:31:07.120345Z"


class DeliveryQuery(Paging):
    """The page of a list of deliveries."""

    state: DeliveryState | None = Field(
        default=None, description="Deliveries in this state; absent for all.", examples=["dead"]
    )


class DeliveryAttempt(BaseModel):
    """An attempt to deliver an event."""

    n: int = Field(description="The number of the attempt, from 1.", examples=[1])
    at: datetime = Field(description="The time at which it ended, in UTC.", examples=[_TIME])
    duration_ms: int = Field(description="The time that the request took, in milliseconds.", examples=[83])
    status: int | None = Field(description="The status of the response; null without a response.", examples=[204])
    error: str | None = Field(
        description="Why there was no response; null if there was one.", examples=["no response within 15 s"]
    )
    response_head: str = Field(description="The start of the body of the response, at most 16 KiB.", examples=[""])


class Delivery(BaseModel):
    """An event that is sent to a webhook, or sent again."""

    id: int = Field(description="The id of the delivery.", examples=[1])
    message_id: str = Field(
        description="The `webhook-id` of the requests: the same in each attempt and in each replay of an event.",
        examples=["evt_42_7"],
    )
    ticket_id: int | None = Field(description="The ticket of the event; null if it concerns none.", examples=[42])
    version: int = Field(
        description="The version of the ticket that the event created; without a ticket the number of the event.",
        examples=[7],
    )
    position: int = Field(description="The position of the event in the log of all events.", examples=[1234])
    reason: DeliveryReason = Field(
        description="`event` when the event happened, `replay` when it is sent again.", examples=["event"]
    )
    replay_id: int | None = Field(
        description="The replay that the delivery belongs to; null without one.", examples=[None]
    )
    state: DeliveryState = Field(
        description="`pending`, `done`, `dead` (every attempt failed), or `skipped` (not sent, because the owner may "
        "no longer see the event or an admin skipped the backlog).",
        examples=["done"],
    )
    attempts: int = Field(description="The number of attempts, one in progress included.", examples=[1])
    next_at: datetime | None = Field(
        description="The earliest time of the next attempt, in UTC; null if there is none.", examples=[_TIME]
    )
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=[_TIME])
    finished_at: datetime | None = Field(
        description="The time at which the delivery left the state `pending`, in UTC; null before.", examples=[_TIME]
    )
    last_attempt: DeliveryAttempt | None = Field(
        description="The latest attempt whose outcome is known; null without one."
    )


class DeliveryPage(BaseModel):
    """A page of deliveries."""

    items: list[Delivery] = Field(description="The deliveries of the last 30 days, the latest first.")
    next_cursor: NextCursor


class ReplayCreate(RequestBody):
    """The events to send again: those of a range of time (`from`, `to`), or those after a cursor of the feed."""

    from_: Annotated[
        Timestamp | None,
        Field(alias="from", description="Events published at this time or later.", examples=["2026-03-02T09:00:00Z"]),
    ] = None
    to: Timestamp | None = Field(
        default=None,
        description="Events published before this time. Null or absent: up to the latest one.",
        examples=["2026-03-02T18:00:00Z"],
    )
    after: str | None = Field(
        default=None,
        max_length=512,
        description="Events after this cursor of the feed of events.",
        examples=[CURSOR_EXAMPLE],
    )
    only_dead: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="Only events whose delivery is `dead` and that were not sent again.", examples=[True]
    )

    @model_validator(mode="after")
    def _require_one_start(self) -> Self:
        if (self.from_ is None) == (self.after is None):
            raise PydanticCustomError("start", "must have either from or after")
        if self.from_ is not None and self.to is not None and self.to <= self.from_:
            raise PydanticCustomError("range", "to must be later than from")
        return self


class Replay(BaseModel):
    """A replay, and its progress. It selects events by the settings that the webhook has meanwhile."""

    id: int = Field(description="The id of the replay.", examples=[1])
    only_dead: bool = Field(description="True if it sends only events whose delivery is dead.", examples=[True])
    state: ReplayState = Field(
        description="`running` until all events of the range were looked at or the backlog was skipped, then `done`.",
        examples=["running"],
    )
    events: int = Field(description="The number of events in the range.", examples=[1200])
    events_read: int = Field(description="The number of these that were looked at.", examples=[500])
    pending: int = Field(description="The number of its deliveries that wait.", examples=[20])
    done: int = Field(description="The number of its deliveries that succeeded.", examples=[480])
    dead: int = Field(description="The number of its deliveries that are dead.", examples=[0])
    skipped: int = Field(description="The number of its deliveries that were skipped.", examples=[0])
    more_than: int | None = Field(
        description="Present if more than this number of its deliveries have ended: `done`, `dead` and `skipped` count "
        "only some of them. Null if they count all.",
        examples=[None],
    )
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=[_TIME])
    finished_at: datetime | None = Field(
        description="The time at which the state became `done`, in UTC; null before.", examples=[_TIME]
    )
