"""Tells the metrics what the parts of the service know of themselves."""

import asyncio
from dataclasses import asdict
from typing import Final

from core import metrics
from db.cache.ticket_cache import TicketCache
from db.postgres.database import Database
from services.tickets.ticket_status import TRANSITIONS

EVERY_S: Final = 1


class InFlight:
    """How many requests this process answers now. A plain number: it changes twice in each request."""

    def __init__(self) -> None:
        self.count = 0


class MetricsReporter:
    """Looks at the cache and the pools, which count for themselves alone, and hands on what it sees."""

    def __init__(self, database: Database, cache: TicketCache, in_flight: InFlight) -> None:
        self._database = database
        self._cache = cache
        self._in_flight = in_flight
        self._told: dict[str, int] = {}
        self._known_shards: set[str] = set()
        for source, targets in TRANSITIONS.items():
            for target in targets:
                metrics.transitions.labels(source, target)  # told from the start, as 0

    async def report_metrics(self) -> None:
        """Tell once a second, until cancelled, so that other processes can answer for this one."""
        metrics.join()
        try:
            while True:
                self.tell()
                await asyncio.sleep(EVERY_S)
        finally:
            self.tell()

    def tell(self) -> None:
        """Bring the metrics up to date."""
        metrics.requests_in_flight.set(self._in_flight.count)
        for event, count in asdict(self._cache.counters).items():
            metrics.cache_events.labels(event).inc(count - self._told.get(event, 0))
            self._told[event] = count
        metrics.pending_invalidations.set(self._cache.pending_invalidations)
        self._known_shards.update(self._cache.shards)
        for shard in self._known_shards:
            metrics.breaker_open.labels(shard).set(shard in self._cache.unresponsive_shards)
        for name, pool in self._database.pools.items():
            metrics.pool_size.labels(name).set(pool.size)
            metrics.pool_in_use.labels(name).set(pool.in_use)
            metrics.pool_waiting.labels(name).set(pool.waiting)
