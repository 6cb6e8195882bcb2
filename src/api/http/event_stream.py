"""Streams of events: which requests wait for events, their limit, and the response of a stream."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Final, Protocol, TypeVar
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core import deadline
from core.errors import DeadlineExceeded, TooManyStreams

EVENT_STREAM: Final = "text/event-stream"
WAITING_KEY: Final = "is_waiting"
"""The key of the ASGI scope of a request that waits for events."""
# A client that does not read for so long is disconnected. It comes back with Last-Event-ID.
BLOCKED_FOR_S: Final = 20.0
_WAIT: Final = re.compile("[1-9][0-9]*")
_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # proxies such as nginx would collect the frames
]


def accepts_stream(headers: Headers) -> bool:
    """Return whether a request asks for a stream: its Accept names the media type."""
    media_types = ",".join(headers.getlist("accept")).split(",")
    return any(each.partition(";")[0].strip().lower() == EVENT_STREAM for each in media_types)


def has_wait(query_string: bytes) -> bool:
    """Return whether a query makes a long poll: its `wait` is above 0. A repeated one is refused."""
    values = [value for name, value in parse_qsl(query_string.decode("latin-1")) if name == "wait"]
    return len(values) == 1 and _WAIT.fullmatch(values[0]) is not None


def mark_as_waiting(scope: Scope) -> None:
    """Mark a request whose duration is that of a wait, which the times of requests leave out."""
    scope[WAITING_KEY] = True


ResultT = TypeVar("ResultT")


class ByteStream(Protocol):
    """A stream as it is written: see `services.events.stream.EventStream`."""

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield what is to be written until the stream ends."""
        ...

    async def limited(self, work: Awaitable[ResultT], timeout_s: float) -> ResultT:
        """Return the result of work. Raises DeadlineExceeded."""
        ...

    def close(self) -> None:
        """End the stream."""
        ...


class StreamLimiter:
    """Limits the streams and the waiting requests of this process."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open = 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Occupy a slot while the block runs. Raises TooManyStreams."""
        if self._open >= self._limit:
            raise TooManyStreams("the maximum of streams is reached")
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


class EventStreamResponse(Response):
    """A response that writes the chunks of a stream until it ends or the client is gone.

    It has a slot of the limiter from the opening of the stream on. It has no deadline once the stream is open.
    """

    background = None

    def __init__(self, open_stream: Callable[[], Awaitable[ByteStream]], limiter: StreamLimiter) -> None:
        self.status_code = 200
        self.raw_headers = list(_HEADERS)
        self.body = b""
        self._open_stream = open_stream
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response. Raises TooManyStreams, and what opening the stream raises, before the response begins."""
        mark_as_waiting(scope)
        with self._limiter.slot():
            stream = await self._open_stream()
            deadline.lift()
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            disconnected = asyncio.create_task(_close_when_gone(stream, receive))
            try:
                await _write(stream, send)
            finally:
                disconnected.cancel()


async def _write(stream: ByteStream, send: Send) -> None:
    try:
        async with aclosing(stream.chunks()) as chunks:
            async for chunk in chunks:
                content = {"type": "http.response.body", "body": chunk, "more_body": True}
                await stream.limited(send(content), BLOCKED_FOR_S)
    except DeadlineExceeded:
        return
    await send({"type": "http.response.body", "body": b""})


async def _close_when_gone(stream: ByteStream, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.close()
