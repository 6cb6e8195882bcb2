"""Invalidations that could not reach Redis: kept, and made as soon as it answers again."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final

RETRY_EVERY_S: Final = 0.25
LAST_TRY_S: Final = 0.5
BATCH: Final = 200
# More than that are forgotten, those at the front of the queue first: they go back to the bound that every failed
# invalidation has, the time to live of a body, also in the process that wrote.
MAX_PENDING: Final = 10_000


class PendingInvalidations:
    """The tickets of which Redis may hold an overwritten version because this process could not tell it.

    `deliver` is awaited with a ticket's id and version, and returns whether Redis took it. What was stored before the
    write has expired after `lifetime_s`, and the debt with it.
    """

    def __init__(self, deliver: Callable[[int, int], Awaitable[bool]], *, lifetime_s: float) -> None:
        self._deliver = deliver
        self._lifetime_s = lifetime_s
        self._owed: dict[int, tuple[int, float]] = {}
        self._delivering: asyncio.Task[None] | None = None
        self._is_closing = False

    def __len__(self) -> int:
        return len(self._owed)

    def __contains__(self, ticket_id: int) -> bool:
        return ticket_id in self._owed

    def add(self, ticket_id: int, version: int) -> None:
        """Owe the invalidation of everything below `version`, or below what is owed already if that is more."""
        already, _ = self._owed.pop(ticket_id, (0, 0.0))
        self._owed[ticket_id] = (max(version, already), time.monotonic() + self._lifetime_s)
        if len(self._owed) > MAX_PENDING:
            del self._owed[next(iter(self._owed))]
        if not self._is_closing and (self._delivering is None or self._delivering.done()):
            self._delivering = asyncio.create_task(self._deliver_all())

    def settle(self, ticket_id: int, version: int) -> None:
        """Take note that `version` reached Redis after all."""
        if ticket_id in self._owed and self._owed[ticket_id][0] <= version:
            del self._owed[ticket_id]

    async def close(self) -> None:
        """Try once more, for half a second at most, and stop."""
        # The flag as well: a client that waits in a way of its own may swallow a cancellation.
        self._is_closing = True
        if self._delivering is not None:
            self._delivering.cancel()
            await asyncio.wait([self._delivering], timeout=LAST_TRY_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_TRY_S):
                await self._deliver_some()

    async def _deliver_all(self) -> None:
        while self._owed and not self._is_closing:
            await asyncio.sleep(RETRY_EVERY_S)
            while await self._deliver_some() and not self._is_closing:
                pass

    async def _deliver_some(self) -> bool:
        """Try the debts at the front of the queue; return whether all of these were taken, and there are more."""
        all_taken = True
        for ticket_id in list(islice(self._owed, BATCH)):
            owed = self._owed.get(ticket_id)
            if owed is None:  # settled meanwhile
                continue
            version, ends_at = owed
            if time.monotonic() > ends_at or await self._deliver(ticket_id, version):
                self.settle(ticket_id, version)
            elif ticket_id in self._owed:  # to the end of the queue: another node may take its own
                all_taken = False
                self._owed[ticket_id] = self._owed.pop(ticket_id)
        return all_taken and bool(self._owed)
