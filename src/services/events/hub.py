"""The hub of a process: reads new events of the log once, and signals the streams and long polls that they concern.

A stream has a cursor and no queue. It takes the events after its cursor from the ring, which holds the latest ones, or
from PostgreSQL if it is further behind. So memory does not grow with the slowness of clients.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from core.errors import Unavailable
from core.process import ShutdownState
from core.waiting import wait_within
from db.postgres.database import Database
from services.cursors import StoredCursors
from services.events import feed_statements as sql
from services.events.published import PublishedSignal
from services.events.ring import Entry, EventRing, entries_of
from services.events.subscriber import Subscriber

BATCH: Final = sql.MAX_WINDOW
# Without a signal from the publisher of this process, the hub reads this often while events come, and then more rarely.
POLL_EVERY_S: Final = 0.02
MAX_PAUSE_S: Final = 0.25
RETRY_EVERY_S: Final = 1
CHECK_SHUTDOWN_EVERY_S: Final = 0.1

_log = logging.getLogger(__name__)


class EventHub:
    """Follows the log while there are subscribers, and keeps the latest events."""

    def __init__(
        self, database: Database, cursors: StoredCursors, published: PublishedSignal, shutdown: ShutdownState
    ) -> None:
        self._database = database
        self._shutdown = shutdown
        self._cursors = cursors
        self._published = published
        self._ring = EventRing()
        self._subscribers: set[Subscriber] = set()
        self._has_subscribers = asyncio.Event()

    @property
    def position(self) -> int | None:
        """The position up to which the log was read; None without subscribers."""
        return self._ring.position

    @property
    def subscribers(self) -> int:
        """The number of streams and long polls."""
        return len(self._subscribers)

    @contextmanager
    def subscribed(self, subscriber: Subscriber) -> Iterator[None]:
        """Signal events to a subscriber while the block runs."""
        self._subscribers.add(subscriber)
        self._has_subscribers.set()
        if self.position is not None and self.position > subscriber.position:
            subscriber.signal()
        try:
            yield
        finally:
            self._subscribers.discard(subscriber)
            if not self._subscribers:
                self._has_subscribers.clear()

    def after(self, position: int, epoch: str) -> list[Entry] | None:
        """Return the events after a position; None if the hub does not have all of them."""
        return self._ring.after(position, epoch)

    async def run(self) -> None:
        """Follow the log until cancelled; end all subscribers when the process stops."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            # Beside it, because a query may hang.
            tasks.create_task(self._end_at_shutdown())

    async def _follow(self) -> None:
        pause_s = POLL_EVERY_S
        while True:
            if not self._subscribers:
                self._ring.clear()
                await self._has_subscribers.wait()
            published = self._published.expect()
            try:
                count = await self._read()
            except Unavailable as error:
                _log.warning("cannot follow the event log; retrying in %d s: %s", RETRY_EVERY_S, error)
                await asyncio.sleep(RETRY_EVERY_S)
                continue
            pause_s = POLL_EVERY_S if count else min(2 * pause_s, MAX_PAUSE_S)
            if count < BATCH:
                await wait_within(published, pause_s)

    async def _end_at_shutdown(self) -> None:
        while True:
            await self._has_subscribers.wait()
            if self._shutdown:
                for subscriber in self._subscribers:
                    subscriber.end()
            await asyncio.sleep(CHECK_SHUTDOWN_EVERY_S)

    async def _read(self) -> int:
        """Read the next events and signal them; return how many there were."""
        cursors, position = await self._cursors.get(), self.position
        async with self._database.working_singly() as connection:
            rows = await connection.rows(sql.ENTRIES, after=position, from_start=False, limit=BATCH)
        if not rows:
            return 0  # the earlier events are not numbered yet
        state = rows[0]
        epoch = state.epoch.hex
        if position is None:
            self._ring.begin(state.start, epoch)
        elif epoch != self._ring.epoch or state.last_position < position:
            self._begin_anew()
            return 0
        entries = entries_of(rows, cursors, epoch)
        self._ring.extend(entries)
        self._signal(entries, state.start)
        return len(entries)

    def _begin_anew(self) -> None:
        """End all streams, whose cursors are of another epoch: the next read begins at the end of the new log."""
        self._ring.clear()
        for subscriber in self._subscribers:
            subscriber.reset()

    def _signal(self, entries: Sequence[Entry], before: int) -> None:
        """Signal the subscribers whom the entries concern; the others have seen all up to the position of the hub."""
        position = self._ring.position or before
        for subscriber in self._subscribers:
            if subscriber.is_signalled:
                continue
            if subscriber.position < before or any(map(subscriber.concerns, entries)):
                subscriber.signal()
            else:
                subscriber.position = max(subscriber.position, position)
