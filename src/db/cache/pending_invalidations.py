"""Invalidations that did not reach Redis: they are stored here and retried until Redis responds."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final

RETRY_INTERVAL_S: Final = 0.25
LAST_ATTEMPT_TIMEOUT_S: Final = 0.5
BATCH: Final = 200
# Above this number the oldest are dropped. For a dropped one, reads of this process too may return the old body until
# its time to live ends; the same holds for other processes after any failed invalidation.
MAX_PENDING: Final = 10_000


class PendingInvalidations:
    """The tickets of which Redis may have an outdated body, because an invalidation by this process failed.

    `deliver` is awaited with the id and the version of a ticket, and returns whether the invalidation reached Redis. An
    invalidation is dropped after `lifetime_s`, when every body stored before the write has expired.
    """

    def __init__(self, deliver: Callable[[int, int], Awaitable[bool]], *, lifetime_s: float) -> None:
        self._deliver = deliver
        self._lifetime_s = lifetime_s
        self._pending: dict[int, tuple[int, float]] = {}
        self._delivery: asyncio.Task[None] | None = None
        self._is_closing = False

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, ticket_id: int) -> bool:
        return ticket_id in self._pending

    def add(self, ticket_id: int, version: int) -> None:
        """Store an invalidation of everything below `version`, or below the pending version if that is greater."""
        pending_version, _ = self._pending.pop(ticket_id, (0, 0.0))
        self._pending[ticket_id] = (max(version, pending_version), time.monotonic() + self._lifetime_s)
        if len(self._pending) > MAX_PENDING:
            del self._pending[next(iter(self._pending))]
        if not self._is_closing and (self._delivery is None or self._delivery.done()):
            self._delivery = asyncio.create_task(self._deliver_all())

    def confirm(self, ticket_id: int, version: int) -> None:
        """Remove the invalidation of a ticket, if it is for `version` or lower: `version` has reached Redis."""
        if ticket_id in self._pending and self._pending[ticket_id][0] <= version:
            del self._pending[ticket_id]

    async def close(self) -> None:
        """Stop retrying, after a last attempt of at most half a second."""
        # The flag is needed too: a Redis client may swallow a cancellation.
        self._is_closing = True
        if self._delivery is not None:
            self._delivery.cancel()
            await asyncio.wait([self._delivery], timeout=LAST_ATTEMPT_TIMEOUT_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_ATTEMPT_TIMEOUT_S):
                await self._deliver_batch()

    async def _deliver_all(self) -> None:
        while self._pending and not self._is_closing:
            await asyncio.sleep(RETRY_INTERVAL_S)
            while await self._deliver_batch() and not self._is_closing:
                pass

    async def _deliver_batch(self) -> bool:
        """Try the oldest invalidations; return whether all of them reached Redis and more are pending."""
        all_delivered = True
        for ticket_id in list(islice(self._pending, BATCH)):
            pending = self._pending.get(ticket_id)
            if pending is None:  # confirmed in the meantime
                continue
            version, ends_at = pending
            if time.monotonic() > ends_at or await self._deliver(ticket_id, version):
                self.confirm(ticket_id, version)
            elif ticket_id in self._pending:  # move it to the end: another node may respond for the next ones
                all_delivered = False
                self._pending[ticket_id] = self._pending.pop(ticket_id)
        return all_delivered and bool(self._pending)
