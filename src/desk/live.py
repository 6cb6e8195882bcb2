"""The stream of the pages: the feed of events, reduced to "this ticket has this version".

Pages fetch what changed with the rights of their viewer, so the stream needs no texts. One browser opens one stream.
"""

import json
import re
from collections.abc import AsyncGenerator, Awaitable
from functools import lru_cache
from typing import Final, TypeVar

from fastapi import Response
from pydantic import ValidationError

from api.http.event_response import FeedReaders
from api.http.event_stream import EventStreamResponse
from desk.desk_request import DeskRequest
from desk.list_query import invalid
from desk.viewer import access_of
from schemas.cloud_events import StreamQuery
from services.events.stream import EventStream

ResultT = TypeVar("ResultT")

NOW: Final = "now"
_ID: Final = re.compile(rb"^id: .*$", re.MULTILINE)
_DATA: Final = re.compile(rb"^data: (.*)$", re.MULTILINE)
# The frames that the streams of this process share for a moment.
_KNOWN_FRAMES: Final = 1_024


class LiveStream:
    """A stream of events whose frames name tickets and versions alone."""

    def __init__(self, events: EventStream) -> None:
        self._events = events

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the frames, one or several at a time."""
        async for chunk in self._events.chunks():
            yield b"".join(map(_thin, chunk.split(b"\n\n")[:-1]))

    async def limited(self, work: Awaitable[ResultT], timeout_s: float) -> ResultT:
        """Return the result of work. Raises DeadlineExceeded after `timeout_s` seconds and when the stream ends."""
        return await self._events.limited(work, timeout_s)

    def close(self) -> None:
        """End the stream."""
        self._events.close()


def live_response(asked: DeskRequest) -> Response:
    """Return the stream from `Last-Event-ID` on, or from now on. Raises RequestValidationError."""
    readers: FeedReaders = asked.request.app.state.feed_readers
    last_event_id = asked.request.headers.get("last-event-id") or asked.request.query_params.get("after")
    try:
        query = StreamQuery(after=last_event_id or NOW)
    except ValidationError as error:
        raise invalid(error, "query") from None

    async def open_stream() -> LiveStream:
        events = await readers.streams.open(query, None, asked.principal, access_of(asked.request))
        return LiveStream(events)

    return EventStreamResponse(open_stream, readers.limiter)


@lru_cache(maxsize=_KNOWN_FRAMES)
def _thin(frame: bytes) -> bytes:
    """Return a frame with the id of the ticket and its version as data.

    Of an event that concerns no ticket, only the position is left. Frames without an event stay as they are.
    """
    data = _DATA.search(frame)
    event = {} if data is None else json.loads(data[1])
    position = _ID.search(frame)
    if not event or position is None:
        return frame + b"\n\n"
    if "ticketversion" not in event:
        return position[0] + b"\n\n"
    body = json.dumps({"ticket": int(event["subject"]), "version": event["ticketversion"]}, separators=(",", ":"))
    return b"%b\ndata: %b\n\n" % (position[0], body.encode())
