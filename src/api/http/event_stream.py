"""Streams of events: which requests are streams, their limit, and their response."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.errors import TooManyStreams
from services.events.stream import EventStream

EVENT_STREAM: Final = "text/event-stream"
WAITING_KEY: Final = "is_waiting"
"""The key of the ASGI scope of a request that waits for events."""
# A client that does not read for so long is disconnected. It comes back with Last-Event-ID.
BLOCKED_FOR_S: Final = 20.0
_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # proxies such as nginx would collect the frames
]


def accepts_stream(headers: Headers) -> bool:
    """Return whether a request asks for a stream: its Accept names the media type."""
    media_types = ",".join(headers.getlist("accept")).split(",")
    return any(each.partition(";")[0].strip().lower() == EVENT_STREAM for each in media_types)


def mark_as_waiting(scope: Scope) -> None:
    """Mark a request whose duration is that of a wait, which the times of requests leave out."""
    scope[WAITING_KEY] = True


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
    """A response that writes the chunks of a stream until it ends or the client is gone; it then frees the slot."""

    background = None

    def __init__(self, stream: EventStream, limiter: StreamLimiter) -> None:
        self.status_code = 200
        self.raw_headers = list(_HEADERS)
        self.body = b""
        self._stream = stream
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        mark_as_waiting(scope)
        with self._limiter.slot():
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            disconnected = asyncio.create_task(self._close_when_gone(receive))
            try:
                await self._write(self._stream.chunks(), send)
            finally:
                disconnected.cancel()

    async def _write(self, chunks: AsyncIterator[bytes], send: Send) -> None:
        try:
            async for chunk in chunks:
                async with asyncio.timeout(BLOCKED_FOR_S):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except TimeoutError:
            return
        await send({"type": "http.response.body", "body": b""})

    async def _close_when_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._stream.close()
