"""A reader that waits for events: a stream or a long poll."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from core.errors import DeadlineExceeded
from core.waiting import wait_within
from services.events.feed import Filters
from services.events.ring import Entry, Frame

ResultT = TypeVar("ResultT")


class Subscriber:
    """A position in the log, and which events after it concern the reader. `viewer` is a requester's key.

    The hub moves the position beyond events that do not concern the reader, and signals others.
    """

    def __init__(self, position: int, viewer: str | None, filters: Filters) -> None:
        self.position = position
        self.filters = filters
        self.is_ended = False
        self.is_reset = False
        self._viewer = viewer
        self._signal = asyncio.Event()
        self._limit: asyncio.Timeout | None = None

    @property
    def is_signalled(self) -> bool:
        """Whether there may be something to read after the position."""
        return self._signal.is_set()

    def frame_of(self, entry: Entry) -> Frame | None:
        """Return what the reader gets of an entry; None if it may not see it, or its filters exclude it."""
        frame = entry.internal
        if self._viewer is not None:
            if entry.public is None or self._viewer not in entry.viewers:
                return None
            frame = entry.public
        is_of_ticket = self.filters.ticket_id is None or self.filters.ticket_id == entry.ticket_id
        return frame if is_of_ticket and self.filters.include(frame.kind) else None

    def concerns(self, entry: Entry) -> bool:
        """Return whether the entry is after the position, and the reader gets it."""
        return entry.position > self.position and self.frame_of(entry) is not None

    def signal(self) -> None:
        """Let the reader read."""
        self._signal.set()

    def expect(self) -> None:
        """Forget the signals so far, because the reader reads next."""
        if not self.is_ended:
            self._signal.clear()

    async def wait(self, timeout_s: float) -> bool:
        """Return True at a signal and at the end, or False after `timeout_s` seconds without one."""
        return await wait_within(self._signal, timeout_s)

    def end(self) -> None:
        """End the reading: nothing waits any longer."""
        self.is_ended = True
        self._signal.set()
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(0)

    def reset(self) -> None:
        """End the reading, because the log does not continue after the position."""
        self.is_reset = True
        self.end()

    async def limited(self, work: Awaitable[ResultT], timeout_s: float) -> ResultT:
        """Return the result of work.

        Raises DeadlineExceeded after `timeout_s` seconds and when the reading ends, and what the work raises.
        """
        try:
            async with asyncio.timeout(0 if self.is_ended else timeout_s) as self._limit:
                return await work
        except TimeoutError:
            raise DeadlineExceeded("a reader of events waited for too long") from None
        finally:
            self._limit = None
