"""Which requests the limit of streams and long polls counts: all that the limit of concurrent requests exempts."""

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.http.event_stream import EventStreamResponse, StreamLimiter
from api.middleware.concurrency import ConcurrencyLimiter, ConcurrencyMiddleware
from core.errors import TooManyStreams
from services.events.stream import EventStream


@pytest.mark.parametrize(
    ("path", "query", "accept", "is_exempt"),
    [
        ("/events", "", "application/json", False),
        ("/events", "wait=5", "application/json", True),
        ("/events", "after=now&wait=25&limit=1", "application/json", True),
        ("/events", "w%61it=5", "application/json", True),
        ("/tickets/1/events", "wait=5", "application/json", True),
        ("/events", "", "text/event-stream", True),
        ("/events", "wait=0", "application/json", False),
        ("/events", "wait=", "application/json", False),
        ("/events", "wait=x", "application/json", False),
        ("/events", "wait=0&wait=5", "application/json", False),
        ("/events", "await=5", "application/json", False),
        ("/events", "after=wait=5", "application/json", False),
        ("/tickets", "wait=5", "application/json", False),
    ],
)
async def test_a_request_that_does_not_wait_needs_a_slot_of_the_concurrency_limit(
    path: str, query: str, accept: str, *, is_exempt: bool
) -> None:
    limiter, free = ConcurrencyLimiter(1), []

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        free.append(limiter.free)

    scope = {
        "type": "http",
        "path": path,
        "query_string": query.encode(),
        "headers": [(b"accept", accept.encode())],
    }
    await ConcurrencyMiddleware(app, limiter=limiter)(scope, _no_message, _no_send)
    assert free == [1 if is_exempt else 0]


async def test_a_stream_beyond_the_limit_is_refused_before_it_is_opened() -> None:
    async def open_stream() -> EventStream:
        raise AssertionError("it makes queries")

    limiter = StreamLimiter(1)
    with limiter.slot(), pytest.raises(TooManyStreams):
        await EventStreamResponse(open_stream, limiter)({"type": "http"}, _no_message, _no_send)


async def _no_message() -> Message:
    raise AssertionError("nothing is read")


async def _no_send(_message: Message) -> None:
    raise AssertionError("nothing is sent")
