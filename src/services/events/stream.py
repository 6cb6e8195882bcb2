"""A stream of events (https://html.spec.whatwg.org/multipage/server-sent-events.html): frames from a cursor on."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import AbstractContextManager
from typing import Final, TypeVar

from core import metrics
from core.errors import DeadlineExceeded, EventsGone, Unavailable
from core.process import ShutdownState
from models import Scope
from schemas.cloud_events import MAX_EVENTS, StreamQuery
from services.access.principal import Principal
from services.cursors import Cursors, StoredCursors
from services.events.access_watch import Access, AccessWatch
from services.events.feed import EventFeed, Filters, FoundPage, Start, seal, start_of
from services.events.hub import EventHub
from services.events.long_poll import END_WITHIN_S
from services.events.ring import Entry, frame_text
from services.events.subscriber import Subscriber

COMMENT_EVERY_S: Final = 15.0
CURSOR_EVERY_S: Final = 60.0
# A stream that waits longer for its page writes a comment first, if one is due.
PAGE_TIMEOUT_S: Final = 5.0
# At least so much time between two writes to a connection, for each stream of the process: with 2,500 streams 0.1 s.
PAUSE_PER_STREAM_S: Final = 0.000_04
MAX_PAUSE_S: Final = 1.0
MAX_CHUNK_BYTES: Final = 256 * 1024
RETRY_EVERY_S: Final = 1.0

ResultT = TypeVar("ResultT")


class EventStreams:
    """Opens streams; one for each process."""

    def __init__(self, feed: EventFeed, hub: EventHub, cursors: StoredCursors, shutdown: ShutdownState) -> None:
        self._feed = feed
        self._hub = hub
        self._cursors = cursors
        self._shutdown = shutdown
        self._watch = AccessWatch()

    async def open(
        self, query: StreamQuery, ticket_id: int | None, principal: Principal, access: Access
    ) -> "EventStream":
        """Return a stream that begins after the query's cursor, for the principal that `access` authenticates.

        Raises InsufficientScope, InvalidCursor, EventsGone, TicketNotFound, EventLogNotReady.
        """
        cursors = await self._cursors.get()
        principal.require(Scope.READ)
        await self._feed.ensure_visible(ticket_id, principal)
        # Before the response begins, so that a cursor that cannot be continued is refused with a status.
        first = await self._feed.locate(start_of(cursors, query.after))
        filters = Filters(frozenset(query.types), ticket_id)
        subscriber = Subscriber(first.position, await self._feed.viewer_of(principal), filters)
        reader = _Reader(self._feed, cursors, principal, first.epoch)
        watching = self._watch.watching(subscriber, access, principal)
        return EventStream(reader, self._hub, subscriber, self._shutdown, watching)


class _Reader:
    """Reads pages for one stream."""

    def __init__(self, feed: EventFeed, cursors: Cursors, principal: Principal, epoch: str) -> None:
        self.principal = principal
        self.epoch = epoch
        self._feed = feed
        self._cursors = cursors

    def cursor(self, position: int) -> bytes:
        return seal(self._cursors, position, self.epoch).encode()

    async def after(self, subscriber: Subscriber) -> FoundPage:
        start = Start(subscriber.position, self.epoch)
        return await self._feed.read_in_turn(start, subscriber.filters, self.principal, MAX_EVENTS)

    def frames(self, page: FoundPage) -> bytes:
        return b"".join(frame_text(item.kind, item.body, self.cursor(item.position)) for item in page.items)


class EventStream:
    """The frames for one client. Iterate over `chunks` until it ends."""

    def __init__(
        self,
        reader: _Reader,
        hub: EventHub,
        subscriber: Subscriber,
        shutdown: ShutdownState,
        watching: AbstractContextManager[None],
    ) -> None:
        self._reader = reader
        self._hub = hub
        self._subscriber = subscriber
        self._shutdown = shutdown
        self._watching = watching
        self._sent_position = subscriber.position  # of the last cursor that was sent, and when that was
        self._sent_position_at = self._written_at = 0.0

    def close(self) -> None:
        """End the stream: the client has disconnected."""
        self._subscriber.end()

    async def limited(self, work: Awaitable[ResultT], timeout_s: float) -> ResultT:
        """Return the result of work. Raises DeadlineExceeded after `timeout_s` seconds and when the stream ends."""
        return await self._subscriber.limited(work, timeout_s)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield what is to be written, one or several frames at a time, until the stream ends."""
        clock = asyncio.get_running_loop().time
        self._sent_position_at = clock()
        # Streams that are opened together do not write their comments together.
        self._written_at = clock() - random.uniform(0, COMMENT_EVERY_S)  # noqa: S311 - not a secret
        # With the cursor, a client that is interrupted before the first event continues here, and not at its `after`.
        retry_ms = random.randint(2000, 5000)  # noqa: S311 - not a secret
        yield b"retry: %d\nid: %s\n\n" % (retry_ms, self._reader.cursor(self._sent_position))
        with metrics.event_streams.track_inprogress(), self._hub.subscribed(self._subscriber), self._watching:
            while not self._subscriber.is_ended:
                self._subscriber.expect()
                before = self._subscriber.position
                chunk = await self._next_frames() or self._due_frame(clock())
                if self._subscriber.is_ended:  # while it read
                    break
                if chunk:
                    yield chunk
                    self._written_at = clock()
                    await asyncio.sleep(min(self._hub.subscribers * PAUSE_PER_STREAM_S, MAX_PAUSE_S))
                elif self._subscriber.position == before:
                    await self._subscriber.wait(self._written_at + COMMENT_EVERY_S - clock())
        if self._shutdown:
            await asyncio.sleep(random.uniform(0, END_WITHIN_S))  # noqa: S311 - not a secret
        elif self._subscriber.is_reset:
            yield b"event: reset\ndata: {}\n\n"

    def _due_frame(self, now: float) -> bytes:
        """Return what a client without events gets from time to time: its new cursor, or a comment."""
        if now - self._sent_position_at >= CURSOR_EVERY_S and self._sent_position != self._subscriber.position:
            # The filters hide what happens: without this frame, the client would begin far behind again.
            self._note_sent_position(now)
            return b"id: %s\n\n" % self._reader.cursor(self._sent_position)
        return b":\n\n" if now - self._written_at >= COMMENT_EVERY_S else b""

    def _note_sent_position(self, now: float) -> None:
        self._sent_position_at, self._sent_position = now, self._subscriber.position

    async def _next_frames(self) -> bytes:
        """Return the next frames, and move the cursor beyond what was read."""
        entries = self._hub.after(self._subscriber.position, self._reader.epoch)
        frames = await self._frames_from_log() if entries is None else self._frames_of(entries)
        if frames:
            self._note_sent_position(asyncio.get_running_loop().time())
        return frames

    def _frames_of(self, entries: Sequence[Entry]) -> bytes:
        frames: list[bytes] = []
        size_bytes = 0
        for entry in entries:
            self._subscriber.position = entry.position
            frame = self._subscriber.frame_of(entry)
            if frame is not None:
                frames.append(frame.text)
                size_bytes += len(frame.text)
                if size_bytes > MAX_CHUNK_BYTES:
                    break
        metrics.event_frames.inc(len(frames))
        return b"".join(frames)

    async def _frames_from_log(self) -> bytes:
        """Return the frames of a page of the log: the hub does not have all events after the cursor.

        It waits for its turn, and reads, for a limited time.
        """
        try:
            page = await self.limited(self._reader.after(self._subscriber), PAGE_TIMEOUT_S)
        except EventsGone:
            self._subscriber.reset()
            return b""
        except DeadlineExceeded:
            return b""
        except Unavailable:  # the database has an outage
            await self._subscriber.wait(RETRY_EVERY_S)
            return b""
        if page.position == self._subscriber.position:  # the hub has not begun to follow the log
            await self._subscriber.wait(RETRY_EVERY_S)
        self._subscriber.position = max(self._subscriber.position, page.position)
        metrics.event_frames.inc(len(page.items))
        return self._reader.frames(page)
