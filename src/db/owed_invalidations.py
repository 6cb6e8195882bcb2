"""Invalidations that could not reach Redis: kept, and made as soon as it answers again."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final

RETRY_EVERY_S: Final = 0.25
BATCH: Final = 200
# More than that are forgotten, the oldest first: they go back to the bound that every failed invalidation has, the
# time to live of a body.
MOST_OWED: Final = 10_000


class OwedInvalidations:
    """The tickets of which Redis may hold an overwritten version because this process could not tell it.

    `deliver` is awaited with a ticket's id and version, and returns whether Redis took it. What was stored before the
    write has expired after `lifetime_s`, and the debt with it.
    """

    def __init__(self, deliver: Callable[[int, int], Awaitable[bool]], *, lifetime_s: float) -> None:
        self._deliver = deliver
        self._lifetime_s = lifetime_s
        self._owed: dict[int, tuple[int, float]] = {}
        self._delivering: asyncio.Task[None] | None = None

    def __contains__(self, ticket_id: int) -> bool:
        return ticket_id in self._owed

    def add(self, ticket_id: int, version: int) -> None:
        """Owe the invalidation of everything below `version`."""
        self._owed[ticket_id] = (version, time.monotonic() + self._lifetime_s)
        if len(self._owed) > MOST_OWED:
            del self._owed[next(iter(self._owed))]
        if self._delivering is None or self._delivering.done():
            self._delivering = asyncio.create_task(self._deliver_all())

    def settle(self, ticket_id: int, version: int) -> None:
        """Take note that `version` reached Redis after all."""
        if ticket_id in self._owed and self._owed[ticket_id][0] <= version:
            del self._owed[ticket_id]

    async def close(self) -> None:
        """Stop trying."""
        if self._delivering is not None:
            self._delivering.cancel()
            await asyncio.gather(self._delivering, return_exceptions=True)

    async def _deliver_all(self) -> None:
        while self._owed:
            await asyncio.sleep(RETRY_EVERY_S)
            for ticket_id in list(islice(self._owed, BATCH)):
                version, ends_at = self._owed[ticket_id]
                if time.monotonic() > ends_at or await self._deliver(ticket_id, version):
                    self.settle(ticket_id, version)
                else:  # to the end of the queue: another node may take its own
                    self._owed[ticket_id] = self._owed.pop(ticket_id)
