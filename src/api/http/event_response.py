"""The three forms of the feed: a page, a page that waits for an event (long poll), and a stream."""

from dataclasses import dataclass
from functools import partial

from fastapi import Request, Response

from api.http.event_stream import EventStreamResponse, StreamLimiter, accepts_stream, mark_as_waiting
from api.http.serialized import SerializedResponse
from schemas.cloud_events import StreamQuery
from services.access.principal import Principal
from services.events.access_watch import Access
from services.events.feed import EventFeed
from services.events.long_poll import LongPolls
from services.events.stream import EventStreams


@dataclass(frozen=True, slots=True)
class FeedReaders:
    """The service of each form, and the limit of streams and long polls."""

    feed: EventFeed
    polls: LongPolls
    streams: EventStreams
    limiter: StreamLimiter


async def event_response(
    request: Request,
    readers: FeedReaders,
    query: StreamQuery,
    ticket_id: int | None,
    principal: Principal,
    last_event_id: str | None,
) -> Response:
    """Return the response in the form that the request asks for. Raises TooManyStreams and what the services raise."""
    if accepts_stream(request.headers):
        resumed = query if last_event_id is None else query.model_copy(update={"after": last_event_id})
        open_stream = partial(readers.streams.open, resumed, ticket_id, principal, _access_of(request))
        return EventStreamResponse(open_stream, readers.limiter)
    if not query.wait:
        return SerializedResponse(200, [], await readers.feed.page(query, ticket_id, principal))
    mark_as_waiting(request.scope)
    with readers.limiter.slot():
        return SerializedResponse(200, [], await readers.polls.page(query, ticket_id, principal))


def _access_of(request: Request) -> Access:
    """Return the request's credentials, which a stream authenticates again from time to time."""
    authorization = request.headers.get("authorization")
    return Access(authorization, partial(request.app.state.authenticator.principal_of, authorization))
