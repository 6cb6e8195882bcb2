"""A signal within this process that a change of a ticket was committed."""

import asyncio

from core.waiting import wait_within


class CommitSignal:
    """Wakes tasks that wait for the next committed change, such as the readers of a feed.

    The reader queries PostgreSQL for the changes. Commits of other processes do not trigger it, so a reader waits
    with a timeout of its own.
    """

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def notify(self) -> None:
        """Wake every task that waits now."""
        signalled, self._next = self._next, asyncio.Event()
        signalled.set()

    def expect(self) -> asyncio.Event:
        """Return the event of the next notification. A reader that takes it before it queries misses none."""
        return self._next

    async def wait(self, timeout_s: float) -> bool:
        """Return True at the next notification, or False after `timeout_s` seconds without one."""
        return await wait_within(self._next, timeout_s)
