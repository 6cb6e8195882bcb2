"""Copies the state of the cache and of the connection pools into the metrics."""

import asyncio
from dataclasses import asdict
from typing import Final

from core import metrics
from db.resources import Resources
from services.tickets.ticket_status import TRANSITIONS

EVERY_S: Final = 1


class InFlight:
    """The number of requests in progress in this process; a plain number, because each request changes it twice."""

    def __init__(self) -> None:
        self.count = 0


class MetricsReporter:
    """Reads the counters and the state that the cache and the pools keep themselves, and updates the metrics."""

    def __init__(self, resources: Resources, in_flight: InFlight) -> None:
        self._database = resources.database
        self._cache = resources.cache
        self._groups = resources.groups
        self._in_flight = in_flight
        self._reported: dict[str, int] = {}
        self._known_shards: set[str] = set()
        for source, targets in TRANSITIONS.items():
            for target in targets:
                metrics.transitions.labels(source, target)  # exported from the start, as 0

    async def report_metrics(self) -> None:
        """Update the metrics every second, until cancelled: other workers export the metrics of this worker too."""
        try:
            while True:
                self.update()
                await asyncio.sleep(EVERY_S)
        finally:
            self.update()

    def update(self) -> None:
        """Update the metrics now."""
        metrics.requests_in_flight.set(self._in_flight.count)
        for event, count in asdict(self._cache.counters).items():
            metrics.cache_events.labels(event).inc(count - self._reported.get(event, 0))
            self._reported[event] = count
        metrics.cache_groups_down.set(self._groups.down)
        self._known_shards.update(self._cache.shards)
        for shard in self._known_shards:
            metrics.breaker_open.labels(shard).set(shard in self._cache.unresponsive_shards)
        for name, pool in self._database.pools.items():
            metrics.pool_size.labels(name).set(pool.size)
            metrics.pool_in_use.labels(name).set(pool.in_use)
            metrics.pool_waiting.labels(name).set(pool.waiting)
