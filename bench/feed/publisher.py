"""The publisher alone: this process writes events by SQL, and another one publishes them."""

import asyncio
import time
from bisect import bisect_left
from dataclasses import dataclass, field
from signal import SIGTERM
from typing import Final

import asyncpg
import psutil

from bench.feed.stage import TICKETS, Results, Stage, percentile, run
from bench.load import LoadFailed
from core.settings import async_dsn
from db.embedded.process import stop

EVENTS_PER_SECOND: Final = 5_000
LAG_LIMIT_MS: Final = 100
_BATCH: Final = 25
_WRITERS: Final = 4
_FIRST_VERSION: Final = 1_000
_POLL_EVERY_S: Final = 0.002
_SETTLED_AFTER_S: Final = 1
_TIMEOUT_S: Final = 60
_WRITE: Final = f"""
    INSERT INTO ticket_events (ticket_id, version, type, data, actor, created_at)
    SELECT 1 + n % {TICKETS}, {_FIRST_VERSION} + n / {TICKETS}, 'changed',
        '{{"subject": {{"from": "The printer", "to": "The printer is on fire"}}}}', 'key:bench', clock_timestamp()
    FROM generate_series($1::integer, $1::integer + {_BATCH - 1}) AS n
"""
_LAST: Final = "SELECT last_position FROM event_publisher"
_LOG: Final = "SELECT position, ticket_id, version FROM event_log WHERE position > $1 ORDER BY position"


@dataclass
class _Observed:
    """When each batch was committed, and when which position was readable."""

    first_position: int
    committed_at: dict[int, float] = field(default_factory=dict)
    positions: list[int] = field(default_factory=list)
    readable_at: list[float] = field(default_factory=list)

    def published_by(self, moment: float) -> int:
        """Return how many events were readable at this moment."""
        seen = [position for position, at in zip(self.positions, self.readable_at, strict=True) if at <= moment]
        return max(seen, default=self.first_position) - self.first_position


def measure(stage: Stage, results: Results) -> None:
    """Write at the rate of the target, in each round to another copy of the database."""
    seconds = 5 if stage.is_quick else 30
    for _ in range(stage.rounds):
        with stage.servers.copied(stage.template) as dsn:
            process = stage.servers.program("bench.feed.publishing", async_dsn(dsn))
            try:
                run(_measure(stage, results, dsn, process.pid, seconds))
            finally:
                stop(process, with_signal=SIGTERM, timeout_s=5)


async def _measure(stage: Stage, results: Results, dsn: str, publisher_pid: int, seconds: int) -> None:
    await asyncio.sleep(2)  # the publisher starts
    process = psutil.Process(publisher_pid)
    async with asyncpg.create_pool(dsn, min_size=_WRITERS + 1, max_size=_WRITERS + 1) as pool:
        observed = _Observed(await pool.fetchval(_LAST))
        watching = asyncio.create_task(_watch(pool, observed))
        before, began_at = process.cpu_times(), time.monotonic()
        batches = seconds * EVENTS_PER_SECOND // _BATCH
        await asyncio.gather(*(_write(pool, observed, began_at, range(n, batches, _WRITERS)) for n in range(_WRITERS)))
        written, ended_at = batches * _BATCH, max(observed.committed_at.values())
        after = process.cpu_times()
        await _wait_for(pool, observed.first_position + written)
        watching.cancel()
        lags = _lags(observed, await pool.fetch(_LOG, observed.first_position))
    cpu_us = (after.user + after.system - before.user - before.system) / written * 1e6
    rate, p99 = written / (ended_at - began_at), percentile(lags, 0.99)
    kept_up = observed.published_by(ended_at + _SETTLED_AFTER_S) / written
    title = f"publisher alone, {EVENTS_PER_SECOND:,} events/s for {seconds} s"
    results.add(f"{title}: lag p99", p99, limit=LAG_LIMIT_MS, unit="ms")
    results.add(f"{title}: published one second after the end : written", kept_up, limit=1, is_at_most=False)
    results.note(f"{title}: lag p50", percentile(lags, 0.5), "ms")
    results.note(f"{title}: longest lag", max(lags), "ms")
    results.note(f"{title}: events written per second", rate, "")
    results.note(f"{title}: CPU of its process for an event", cpu_us, "µs")
    stage.report(f"publisher: lag p99 {p99:.1f} ms at {rate:,.0f} events/s")


async def _write(pool: asyncpg.Pool, observed: _Observed, began_at: float, batches: range) -> None:
    """Write these batches, each a transaction, at the times that the rate gives."""
    async with pool.acquire() as connection:
        statement = await connection.prepare(_WRITE)
        for batch in batches:
            due_at = began_at + batch * _BATCH / EVENTS_PER_SECOND
            await asyncio.sleep(max(0, due_at - time.monotonic()))
            await statement.fetch(batch * _BATCH)
            observed.committed_at[batch] = time.monotonic()


async def _watch(pool: asyncpg.Pool, observed: _Observed) -> None:
    """Note when positions become readable, up to 2 ms late."""
    async with pool.acquire() as connection:
        statement = await connection.prepare(_LAST)
        while True:
            position = await statement.fetchval()
            if not observed.positions or position > observed.positions[-1]:
                observed.positions.append(position)
                observed.readable_at.append(time.monotonic())
            await asyncio.sleep(_POLL_EVERY_S)


async def _wait_for(pool: asyncpg.Pool, position: int) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while (reached := await pool.fetchval(_LAST)) < position:
        if time.monotonic() > deadline:
            raise LoadFailed(f"position {reached} was published, where {position} was expected")
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.1)  # the watcher notes it


def _lags(observed: _Observed, rows: list[asyncpg.Record]) -> list[float]:
    """Return the lag of each event in ms, from the end of its transaction until its position was readable."""
    lags = []
    for row in rows:
        number = (row["version"] - _FIRST_VERSION) * TICKETS + row["ticket_id"] - 1
        readable_at = observed.readable_at[bisect_left(observed.positions, row["position"])]
        lags.append(1e3 * max(0, readable_at - observed.committed_at[number // _BATCH]))
    return lags
