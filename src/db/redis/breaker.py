"""A circuit breaker for each shard: a node that does not respond receives no commands until it responds again.

A background task probes the shard; no request is used as a probe. The probe also discovers which node serves which
slot, so that recovery adds no latency to requests.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

FAILURES_TO_OPEN: Final = 3
PROBE_INTERVAL_S: Final = 0.5
CLOSE_TIMEOUT_S: Final = 3

_log = logging.getLogger(__name__)


class Breaker:
    """Counts the consecutive failures of each shard. While the breaker of a shard is open, commands are not sent to it.

    `probe` is awaited with the name of a shard and returns whether the shard responds again.
    """

    def __init__(self, probe: Callable[[str], Awaitable[bool]]) -> None:
        self._probe = probe
        self._failures: dict[str, int] = {}
        self._probing: dict[str, asyncio.Task[None]] = {}
        self._is_closing = False
        self.openings = 0

    @property
    def open_shards(self) -> list[str]:
        """The shards whose breaker is open."""
        return list(self._probing)

    def is_open(self, shard: str) -> bool:
        """Return whether the breaker of a shard is open."""
        return shard in self._probing

    def record_success(self, shard: str) -> None:
        """Reset the failure count of a shard."""
        if self._failures:
            self._failures.pop(shard, None)

    def record_failure(self, shard: str) -> None:
        """Count a failure of a shard; at the third in a row, open its breaker and start to probe it."""
        self._failures[shard] = self._failures.get(shard, 0) + 1
        if self._failures[shard] >= FAILURES_TO_OPEN and not (shard in self._probing or self._is_closing):
            _log.warning("circuit breaker opened for %s: the cache does not use it until it responds", shard)
            self.openings += 1
            self._probing[shard] = asyncio.create_task(self._probe_until_it_responds(shard))

    async def close(self) -> None:
        """Stop probing."""
        # The flag is needed too: a probe may swallow its cancellation.
        self._is_closing = True
        if tasks := list(self._probing.values()):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=CLOSE_TIMEOUT_S)

    async def _probe_until_it_responds(self, shard: str) -> None:
        try:
            responds = False
            while not responds and not self._is_closing:
                await asyncio.sleep(PROBE_INTERVAL_S)
                responds = await self._probe(shard)
        finally:
            self._failures.pop(shard, None)
            del self._probing[shard]
        _log.warning("circuit breaker closed for %s: the cache uses it again", shard)
