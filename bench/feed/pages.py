"""Pages of the feed: far along the log, and at its start."""

import asyncio
import json
from collections.abc import Sequence
from typing import Final

import asyncpg

from bench.feed.stage import TICKETS, Results, Stage
from bench.load import LoadFailed, Measured, Request, load
from bench.responses import sample
from bench.server import Server
from core.settings import async_dsn
from db.postgres.database import Database
from services.cursors import StoredCursors
from services.events.feed import seal

FAR: Final = 1_000_000
PAGE: Final = 100
LIMIT: Final = 1.2
_CONNECTIONS: Final = 8
_FIRST_VERSION: Final = 1_000
_BATCH: Final = 100_000
# The same tickets and the same content at both places: only the positions and versions differ.
_FILL: Final = f"""
    WITH filled AS (
        INSERT INTO ticket_events (ticket_id, version, type, data, actor)
        SELECT 1 + n % {TICKETS}, {_FIRST_VERSION} + n / {TICKETS}, 'changed',
            '{{"subject": {{"from": "The printer", "to": "The printer is on fire"}}}}', 'key:bench'
        FROM generate_series($1::integer, $2::integer - 1) AS n
    )
    INSERT INTO event_log (position, ticket_id, version)
    SELECT 1 + n, 1 + n % {TICKETS}, {_FIRST_VERSION} + n / {TICKETS} FROM generate_series($1, $2 - 1) AS n
"""
_FINISH: Final = "UPDATE event_publisher SET seen = pg_current_snapshot(), last_position = $1, first_position = 1"


def measure(stage: Stage, results: Results) -> None:
    """Measure both pages alternately: far, start, start, far in one round, and the reverse in the next."""
    seconds = 1 if stage.is_quick else 4
    with stage.servers.copied(stage.template) as dsn:
        stage.report(f"filling the log with {FAR + TICKETS:,} events")
        asyncio.run(_fill(dsn, FAR + TICKETS))
        start, far = asyncio.run(_requests(dsn))
        with stage.serving(dsn) as server:
            _ensure_at(server, start, 0)
            _ensure_at(server, far, FAR)
            for each in range(-1, stage.rounds):  # the first round warms up
                runs: dict[str, list[Measured]] = {start.path: [], far.path: []}
                for page in [far, start, start, far] if each % 2 else [start, far, far, start]:
                    runs[page.path].append(_run(server, page, seconds))
                if each >= 0:
                    _add(stage, results, runs[far.path], runs[start.path])


async def _fill(dsn: str, count: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        await connection.execute("TRUNCATE event_log")
        for first in range(0, count, _BATCH):
            await connection.execute(_FILL, first, min(first + _BATCH, count))
        await connection.execute(_FINISH, count)
        await connection.execute("VACUUM ANALYZE event_log, ticket_events")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _requests(dsn: str) -> tuple[Request, Request]:
    """Return the requests for the page at the start and for the one far along."""
    database = Database(async_dsn(dsn), pool_size=1)
    connection = await asyncpg.connect(dsn)
    try:
        cursors = await StoredCursors(database).get()
        epoch = (await connection.fetchval("SELECT epoch FROM event_publisher")).hex
    finally:
        await connection.close()
        await database.close()
    start, far = (
        Request("GET", f"/events?limit={PAGE}&after={seal(cursors, position, epoch)}") for position in (0, FAR)
    )
    return start, far


def _ensure_at(server: Server, page: Request, position: int) -> None:
    (response,) = sample(server, [page])
    found = [int(item["sequence"]) for item in json.loads(response.body).get("items", [])]
    if found != list(range(position + 1, position + PAGE + 1)):
        raise LoadFailed(f"{page.path}: {response.status}, positions {found[:3]} to {found[-3:]}")


def _run(server: Server, page: Request, seconds: int) -> Measured:
    measured = load(server, [page], seconds=seconds, number=0, connections=_CONNECTIONS)
    if measured.share_of("200") < 1:
        raise LoadFailed(f"{page.path}: {measured.responses}")
    return measured


def _add(stage: Stage, results: Results, far: Sequence[Measured], start: Sequence[Measured]) -> None:
    title = f"page of {PAGE} events at position {FAR:,} : at the start"
    cpu = [sum(each.cpu_us + each.database_cpu_us for each in runs) / len(runs) for runs in (far, start)]
    time = [sum(1e3 / each.per_second for each in runs) / len(runs) for runs in (far, start)]
    results.add(f"{title}, CPU with PostgreSQL's", cpu[0] / cpu[1], limit=LIMIT)
    results.add(f"{title}, time", time[0] / time[1], limit=LIMIT)
    results.note(f"page of {PAGE} events at position {FAR:,}: CPU with PostgreSQL's", cpu[0], "µs")
    results.note(f"page of {PAGE} events at the start: CPU with PostgreSQL's", cpu[1], "µs")
    stage.report(f"page: CPU {cpu[0]:.0f} : {cpu[1]:.0f} µs, time {time[0]:.2f} : {time[1]:.2f} ms")
