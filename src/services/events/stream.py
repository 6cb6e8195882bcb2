"""A stream of events (https://html.spec.whatwg.org/multipage/server-sent-events.html): frames from a cursor on."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from core import metrics
from core.errors import EventsGone, ServiceError, Unavailable
from core.process import ShutdownState
from models import EventKind, Scope
from schemas.cloud_events import MAX_EVENTS, StreamQuery
from services.access.principal import Principal
from services.cursors import Cursors, StoredCursors
from services.events.feed import EventFeed, Filters, FoundPage, Start, seal, start_of
from services.events.hub import Entry, EventHub, Subscriber, frame_text

COMMENT_EVERY_S: Final = 15.0
CURSOR_EVERY_S: Final = 60.0
# With the age of a cached key, a revoked one ends its streams within 10 s.
CHECK_ACCESS_EVERY_S: Final = 4.0
END_WITHIN_S: Final = 2.0
# At least so much time between two writes to a connection, for each stream of the process: with 2,500 streams 0.1 s.
PAUSE_PER_STREAM_S: Final = 0.000_04
MAX_PAUSE_S: Final = 1.0
MAX_CHUNK_BYTES: Final = 256 * 1024
MAX_PAGES_AT_ONCE: Final = 4
RETRY_EVERY_S: Final = 1.0

CheckAccess = Callable[[], Awaitable[Principal]]


class EventStreams:
    """Opens streams; one for each process."""

    def __init__(self, feed: EventFeed, hub: EventHub, cursors: StoredCursors, shutdown: ShutdownState) -> None:
        self._feed = feed
        self._hub = hub
        self._cursors = cursors
        self._shutdown = shutdown
        self._pages = asyncio.Semaphore(MAX_PAGES_AT_ONCE)

    async def open(
        self, query: StreamQuery, ticket_id: int | None, principal: Principal, check_access: CheckAccess
    ) -> "EventStream":
        """Return a stream that begins after the query's cursor.

        `check_access` returns the principal of the same credentials, or raises what ends the stream. Raises
        InsufficientScope, InvalidCursor, EventsGone, TicketNotFound, EventLogNotReady.
        """
        cursors = await self._cursors.get()
        filters = Filters(frozenset(query.types), ticket_id)
        principal.require(Scope.READ)
        await self._feed.ensure_visible(ticket_id, principal)
        # Before the response begins, so that a cursor that cannot be continued is refused with a status.
        first = await self._feed.locate(start_of(cursors, query.after))
        viewer = None
        if principal.requester_email is not None:
            viewer = await self._feed.key_of(principal.requester_email)
        reader = _Reader(self._feed, cursors, filters, principal, self._pages)
        subscriber = Subscriber(first.position, viewer, ticket_id)
        return EventStream(reader, self._hub, subscriber, first.epoch, self._shutdown, check_access)


class _Reader:
    """Reads pages for one stream, for as few streams at once as the pool of connections bears."""

    def __init__(
        self, feed: EventFeed, cursors: Cursors, filters: Filters, principal: Principal, pages: asyncio.Semaphore
    ) -> None:
        self.principal = principal
        self._feed = feed
        self._cursors = cursors
        self._filters = filters
        self._pages = pages

    def wants(self, kind: EventKind) -> bool:
        return not self._filters.kinds or kind in self._filters.kinds

    def cursor(self, position: int, epoch: str) -> bytes:
        return seal(self._cursors, position, epoch).encode()

    async def after(self, position: int, epoch: str) -> tuple[FoundPage, bytes]:
        """Return a page and its frames."""
        async with self._pages:
            page = await self._feed.read(Start(position, epoch), self._filters, self.principal, MAX_EVENTS)
        frames = (frame_text(item.kind, item.body, self.cursor(item.position, epoch)) for item in page.items)
        return page, b"".join(frames)


class EventStream:
    """The frames for one client. Iterate over `chunks` until it ends."""

    def __init__(
        self,
        reader: _Reader,
        hub: EventHub,
        subscriber: Subscriber,
        epoch: str,
        shutdown: ShutdownState,
        check_access: CheckAccess,
    ) -> None:
        self._reader = reader
        self._hub = hub
        self._subscriber = subscriber
        self._epoch = epoch
        self._shutdown = shutdown
        self._check_access = check_access
        self._is_closed = False
        self._told = subscriber.position  # the last cursor that the client knows, and since when
        self._told_at = self._written_at = 0.0

    def close(self) -> None:
        """End the stream: the client has disconnected, or the process stops."""
        self._is_closed = True
        self._subscriber.wakened.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield what is to be written, one or several frames at a time, until the stream ends."""
        clock = asyncio.get_running_loop().time
        yield b"retry: %d\n\n" % random.randint(2000, 5000)  # noqa: S311 - not a secret
        self._written_at = self._told_at = checked_at = clock()
        with self._hub.subscribed(self._subscriber):
            while not (self._is_closed or self._subscriber.is_ended):
                if clock() - checked_at >= CHECK_ACCESS_EVERY_S:
                    if not await self._is_permitted():
                        return
                    checked_at = clock()
                self._subscriber.wakened.clear()
                before = self._subscriber.position
                chunk = await self._next_frames() or self._due_frame(clock())
                if chunk:
                    yield chunk
                    self._written_at = clock()
                    await asyncio.sleep(min(self._hub.subscribers * PAUSE_PER_STREAM_S, MAX_PAUSE_S))
                elif self._subscriber.position == before:
                    due_at = min(self._written_at + COMMENT_EVERY_S, checked_at + CHECK_ACCESS_EVERY_S)
                    await self._wait(due_at - clock())
        if self._shutdown:
            await asyncio.sleep(random.uniform(0, END_WITHIN_S))  # noqa: S311 - not a secret
        elif not self._is_closed:
            yield b"event: reset\ndata: {}\n\n"

    def _due_frame(self, now: float) -> bytes:
        """Return what a client without events gets from time to time: its new cursor, or a comment."""
        if now - self._told_at >= CURSOR_EVERY_S and self._told != self._subscriber.position:
            # The filters hide what happens: without this frame, the client would begin far behind again.
            self._tell(now)
            return b"id: %s\n\n" % self._reader.cursor(self._told, self._epoch)
        return b":\n\n" if now - self._written_at >= COMMENT_EVERY_S else b""

    def _tell(self, now: float) -> None:
        self._told_at, self._told = now, self._subscriber.position

    async def _is_permitted(self) -> bool:
        """Return whether the credentials still give the same access; during an outage of PostgreSQL they do."""
        try:
            principal = await self._check_access()
        except Unavailable:
            return True
        except ServiceError:
            return False
        return principal == self._reader.principal

    async def _next_frames(self) -> bytes:
        """Return the next frames, and move the cursor beyond what was read."""
        entries = self._hub.after(self._subscriber.position, self._epoch)
        frames = await self._frames_from_log() if entries is None else self._frames_of(entries)
        if frames:
            self._tell(asyncio.get_running_loop().time())
        return frames

    def _frames_of(self, entries: Sequence[Entry]) -> bytes:
        frames: list[bytes] = []
        size = 0
        for entry in entries:
            self._subscriber.position = entry.position
            frame = entry.internal if self._subscriber.viewer is None else entry.public
            if frame is not None and self._subscriber.may_want(entry) and self._reader.wants(frame.kind):
                frames.append(frame.text)
                size += len(frame.text)
                if size > MAX_CHUNK_BYTES:
                    break
        metrics.event_frames.inc(len(frames))
        return b"".join(frames)

    async def _frames_from_log(self) -> bytes:
        """Return the frames of a page of the log: the hub does not have all events after the cursor."""
        try:
            page, frames = await self._reader.after(self._subscriber.position, self._epoch)
        except EventsGone:
            self._subscriber.is_ended = True
            return b""
        except Unavailable:  # the database has an outage
            await self._wait(RETRY_EVERY_S)
            return b""
        if page.position == self._subscriber.position:  # the hub has not begun to follow the log
            await self._wait(RETRY_EVERY_S)
        self._subscriber.position = max(self._subscriber.position, page.position)
        metrics.event_frames.inc(len(page.items))
        return frames

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self._subscriber.wakened.wait()
        except TimeoutError:
            return
