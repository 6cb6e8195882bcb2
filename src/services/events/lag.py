"""Measures how far the publisher is behind: the events that are committed and have no position yet."""

import time
from dataclasses import dataclass
from typing import Final

from core import metrics
from core.gauges import measure_continually
from db.postgres.database import Database
from services.events import statements as sql

MEASURE_EVERY_S: Final = 5


@dataclass(frozen=True, slots=True)
class Lag:
    """How many events wait, at most LAG_LIMIT, and for how many seconds the oldest of them.

    In a restored database that is not renumbered, which is `is_restored`, the events that wait cannot be counted.
    """

    events: int = 0
    seconds: float = 0
    is_restored: bool = False


class LagReporter:
    """Sets the gauges of the lag."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._restored_at: float | None = None

    async def report_lag(self) -> None:
        """Measure every five seconds, until cancelled."""
        await measure_continually(self._report, what="the lag of the event log", every_s=MEASURE_EVERY_S)

    async def _report(self) -> None:
        self._set(await measure_lag(self._database))

    def _set(self, lag: Lag) -> None:
        metrics.event_log_lag_events.set(lag.events)
        if not lag.is_restored:
            self._restored_at = None
        elif self._restored_at is None:
            self._restored_at = time.monotonic()
        stopped_s = 0 if self._restored_at is None else time.monotonic() - self._restored_at
        metrics.event_log_lag_seconds.set(max(lag.seconds, stopped_s))


async def measure_lag(database: Database) -> Lag:
    """Return the lag. It is 0 before the history is numbered. Raises DatabaseUnavailable.

    It counts by an index what was written since the last round of the publisher. The events of a round that ends
    between the two statements are counted too.
    """
    async with database.working() as connection:
        state = await connection.one_or_none(sql.STATE)
        if state is None:
            return Lag()
        if state.is_restored:
            return Lag(is_restored=True)
        row = await connection.one(sql.LAG, seen_xmax=state.seen_xmax, seen_xip=state.seen_xip)
    return Lag(row.events, max(0, row.seconds or 0))
