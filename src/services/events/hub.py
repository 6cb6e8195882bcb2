"""The hub of a process: reads new events of the log once, and wakes the streams that may want them.

A stream has a cursor and no queue. It takes the events after its cursor from the ring, which holds the latest ones, or
from PostgreSQL if it is further behind. So memory does not grow with the slowness of clients.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from core import metrics
from core.errors import Unavailable
from core.process import ShutdownState
from db.postgres.database import Database
from db.postgres.statements import Row
from models import Audience, EventKind
from services.cursors import Cursors, StoredCursors
from services.events import feed_statements as sql
from services.events.cloud_event import as_json, event_for
from services.events.feed import seal
from services.events.published import PublishedSignal

RING_SIZE: Final = 8_192
BATCH: Final = sql.MAX_WINDOW
# Without a hint from the publisher of this process, the hub looks this often while events come, and then more rarely.
POLL_EVERY_S: Final = 0.02
MAX_PAUSE_S: Final = 0.25
RETRY_EVERY_S: Final = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Frame:
    """An event as a stream sends it, and its type, for one audience."""

    kind: EventKind
    text: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of the log, for agents and, if it is public, for the requesters whose keys are in `viewers`."""

    position: int
    ticket_id: int
    viewers: frozenset[str]
    internal: Frame
    public: Frame | None


class Subscriber:
    """A stream: its cursor, and what it may want. `viewer` is a requester's key; `ticket_id` is None for all tickets.

    `wakened` is set when there may be something after the cursor. The hub moves the cursor of a stream beyond what it
    does not want.
    """

    def __init__(self, position: int, viewer: str | None, ticket_id: int | None) -> None:
        self.viewer = viewer
        self.ticket_id = ticket_id
        self.position = position
        self.wakened = asyncio.Event()
        self.is_ended = False

    def may_want(self, entry: Entry) -> bool:
        """Return whether the entry is of the ticket that the stream is about, and visible to its reader."""
        if self.ticket_id is not None and entry.ticket_id != self.ticket_id:
            return False
        return self.viewer is None or (entry.public is not None and self.viewer in entry.viewers)


class EventHub:
    """Follows the log while there are subscribers, and keeps the latest events."""

    def __init__(
        self, database: Database, cursors: StoredCursors, published: PublishedSignal, shutdown: ShutdownState
    ) -> None:
        self._database = database
        self._shutdown = shutdown
        self._cursors = cursors
        self._published = published
        self._ring: deque[Entry] = deque(maxlen=RING_SIZE)
        self._subscribers: set[Subscriber] = set()
        self._has_subscribers = asyncio.Event()
        self.position: int | None = None
        self.epoch = ""

    @property
    def subscribers(self) -> int:
        """The number of streams."""
        return len(self._subscribers)

    @contextmanager
    def subscribed(self, subscriber: Subscriber) -> Iterator[None]:
        """Wake a subscriber while the block runs."""
        self._subscribers.add(subscriber)
        self._has_subscribers.set()
        metrics.event_streams.set(len(self._subscribers))
        try:
            yield
        finally:
            self._subscribers.discard(subscriber)
            metrics.event_streams.set(len(self._subscribers))
            if not self._subscribers:
                self._has_subscribers.clear()

    def after(self, position: int, epoch: str) -> list[Entry] | None:
        """Return the events after a position; None if the hub does not have all of them."""
        if self.position is None or epoch != self.epoch:
            return None
        # Positions have no gaps.
        count = self.position - position
        return [self._ring[-each] for each in range(count, 0, -1)] if count <= len(self._ring) else None

    async def run(self) -> None:
        """Follow the log until cancelled."""
        pause_s = POLL_EVERY_S
        while True:
            if not self._subscribers:
                self._forget()
                await self._has_subscribers.wait()
            if self._shutdown:
                self._end_all()
            published = self._published.expect()
            try:
                count = await self._read()
            except Unavailable as error:
                _log.warning("cannot follow the event log; retrying in %d s: %s", RETRY_EVERY_S, error)
                await asyncio.sleep(RETRY_EVERY_S)
                continue
            pause_s = POLL_EVERY_S if count else min(2 * pause_s, MAX_PAUSE_S)
            if count < BATCH:
                await _wait(published, pause_s)

    def _forget(self) -> None:
        self._ring.clear()
        self.position = None

    async def _read(self) -> int:
        """Read the next events and wake who may want them; return how many there were."""
        cursors = await self._cursors.get()
        async with self._database.working() as connection:
            rows = await connection.rows(sql.ENTRIES, after=self.position, from_start=False, limit=BATCH)
        if not rows:
            return 0  # the earlier events are not numbered yet
        state = rows[0]
        epoch = state.epoch.hex
        if self.position is not None and (epoch != self.epoch or state.last_position < self.position):
            self._reset()
        self.epoch = epoch
        entries = [_entry(row, cursors, epoch) for row in rows if row.position is not None]
        before = state.start
        self._ring.extend(entries)
        self.position = entries[-1].position if entries else before
        self._wake(entries, before, self.position)
        return len(entries)

    def _reset(self) -> None:
        """Begin anew: the log was renewed, and the cursors of all streams are of another epoch."""
        self._forget()
        self._end_all()

    def _end_all(self) -> None:
        for subscriber in self._subscribers:
            subscriber.is_ended = True
            subscriber.wakened.set()

    def _wake(self, entries: list[Entry], before: int, position: int) -> None:
        for subscriber in self._subscribers:
            if subscriber.wakened.is_set():
                continue
            if any(map(subscriber.may_want, entries)):
                subscriber.wakened.set()
            elif subscriber.position == before:
                subscriber.position = position


def _entry(row: Row, cursors: Cursors, epoch: str) -> Entry:
    cursor = seal(cursors, row.position, epoch).encode()
    is_public = row.audience == Audience.PUBLIC
    return Entry(
        row.position,
        row.ticket_id,
        frozenset(row.viewers),
        _frame(row, Audience.INTERNAL, cursor),
        _frame(row, Audience.PUBLIC, cursor) if is_public else None,
    )


def _frame(row: Row, audience: Audience, cursor: bytes) -> Frame:
    kind, event = event_for(row, audience)
    return Frame(kind, frame_text(kind, as_json(event), cursor))


def frame_text(kind: EventKind, body: bytes, cursor: bytes) -> bytes:
    """Return an event as Server-Sent Events write it; JSON has no line breaks."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (cursor, kind.encode(), body)


async def _wait(published: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await published.wait()
    except TimeoutError:
        return
