"""A circuit breaker for each shard: a node that does not answer is left alone until it does.

Unlike the breakers on offer, it never sends a live request to find out. A task of its own asks the shard, which is also
where the client learns anew which node serves what; so recovery costs no request anything.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

FAILURES_TO_OPEN: Final = 3
PROBE_EVERY_S: Final = 0.5
CLOSE_WITHIN_S: Final = 3

_log = logging.getLogger(__name__)


class Breaker:
    """Counts the failures in a row of each shard; open means that the shard is not to be asked.

    `probe` is awaited with a shard's name and returns whether it answers again.
    """

    def __init__(self, probe: Callable[[str], Awaitable[bool]]) -> None:
        self._probe = probe
        self._failures: dict[str, int] = {}
        self._probing: dict[str, asyncio.Task[None]] = {}
        self._is_closing = False
        self.openings = 0

    @property
    def open_shards(self) -> list[str]:
        """The shards that are not to be asked now."""
        return list(self._probing)

    def is_open(self, shard: str) -> bool:
        """Return whether a shard is not to be asked now."""
        return shard in self._probing

    def succeeded(self, shard: str) -> None:
        """Take note that a shard answered."""
        if self._failures:
            self._failures.pop(shard, None)

    def failed(self, shard: str) -> None:
        """Take note that a shard did not answer, and open at the third time in a row."""
        self._failures[shard] = self._failures.get(shard, 0) + 1
        if self._failures[shard] >= FAILURES_TO_OPEN and not (shard in self._probing or self._is_closing):
            _log.warning("the cache is off for %s until it answers again", shard)
            self.openings += 1
            self._probing[shard] = asyncio.create_task(self._close_when_well(shard))

    async def close(self) -> None:
        """Stop asking."""
        # The flag as well: a client that waits in a way of its own may swallow a cancellation.
        self._is_closing = True
        if tasks := list(self._probing.values()):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=CLOSE_WITHIN_S)

    async def _close_when_well(self, shard: str) -> None:
        try:
            is_well = False
            while not is_well and not self._is_closing:
                await asyncio.sleep(PROBE_EVERY_S)
                is_well = await self._probe(shard)
        finally:
            self._failures.pop(shard, None)
            del self._probing[shard]
        _log.warning("the cache is on again for %s", shard)
