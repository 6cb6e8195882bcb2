"""The feed of events: pages, streams, and the catalogue of the types."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from api.dependencies import Caller, EventReaders, Feed, TicketId
from api.http.checked_route import CheckedRoute
from api.http.event_response import event_response
from api.openapi import event_responses as docs
from api.openapi.responses import PROTECTED, READS, responses
from core.errors import EventLogNotReady, EventsGone, InvalidCursor, TicketNotFound, TooManyStreams
from schemas.cloud_events import EventFeedPage, EventKindList, FeedQuery, StreamQuery

router = APIRouter(tags=["events"], route_class=CheckedRoute)

_REFUSALS = (READS, docs.EVENTS, InvalidCursor, EventsGone, EventLogNotReady, TooManyStreams)
_LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        max_length=512,
        description="Of a stream: the `id` of the last frame, from which it continues. It is preferred to `after`; "
        "clients send it by themselves.",
        examples=["now"],
    ),
]


@router.get("/events", response_model=EventFeedPage, responses=responses(*_REFUSALS, TicketNotFound))
async def list_events(
    query: Annotated[FeedQuery, Query()],
    readers: EventReaders,
    principal: Caller,
    request: Request,
    last_event_id: _LastEventId = None,
) -> Response:
    """Read the feed of events.

    Returns what happened to all tickets, in one order without gaps, from a cursor on. To follow the log, repeat the
    request with `after` set to `next_cursor`, also after an error; an event may then come twice, with the same `id`.
    With `wait`, the response comes as soon as there is an event. With `Accept: text/event-stream`, the response is a
    stream of Server-Sent Events: `id` is the cursor, `event` the type, `data` the event. A frame `reset` ends a
    stream that cannot be continued: read a page to learn why. Agents get all events; requesters get the public events
    of the tickets that they see.
    """
    return await event_response(request, readers, query, query.ticket, principal, last_event_id)


@router.get(
    "/tickets/{ticket_id}/events", response_model=EventFeedPage, responses=responses(*_REFUSALS, TicketNotFound)
)
async def list_ticket_events(
    ticket_id: TicketId,
    query: Annotated[StreamQuery, Query()],
    readers: EventReaders,
    principal: Caller,
    request: Request,
    last_event_id: _LastEventId = None,
) -> Response:
    """Read the feed of one ticket.

    The same as `GET /events` with the parameter `ticket`: pages, or a stream with `Accept: text/event-stream`.
    """
    return await event_response(request, readers, query, ticket_id, principal, last_event_id)


@router.get("/events/types", responses=responses(PROTECTED, docs.EVENT_TYPES))
async def list_event_types(feed: Feed, principal: Caller) -> EventKindList:
    """List the types of events.

    Each has a description, the JSON Schema of `data`, and an example. Webhooks send the same events.
    """
    return feed.types(principal)
