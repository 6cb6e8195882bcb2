"""Timers that are all due at once, as after an outage: how long they take, and what they cost writes beside them."""

import asyncio
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from bench.feed.stage import Results, Stage
from bench.load import LoadFailed, Measured, Request, load
from bench.server import Server
from models import ClockKind
from services.sla.clocks import Clock, Terms
from services.sla.stored_clocks import columns_of

TIMERS: Final = 10_000
DURATION_LIMIT_S: Final = 60
P99_LIMIT: Final = 2
PATCH_LIMIT: Final = 1.1
_CONNECTIONS: Final = 4
_POLL_EVERY_S: Final = 0.2
_MAX_S: Final = 300
_BUDGET_S: Final = 3_600
_NEW: Final = [
    Request(
        "POST",
        "/tickets",
        json.dumps({"subject": "ticket {n}", "text": "It started after lunch.", "email": "alice@example.com"}),
    )
]
_CHANGED: Final = [
    Request("PATCH", f"/tickets/{each}", '{"subject": "changed {n}"}') for each in range(7_001, 9_901, 2)
]
_ALWAYS: Final = json.dumps({day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")})


def measure(stage: Stage, results: Results) -> None:
    """Measure writes beside timers, and changes of tickets with and without clocks."""
    seconds = 3 if stage.is_quick else 10
    for number in range(stage.rounds):
        with stage.servers.copied(stage.template) as dsn:
            asyncio.run(_arm(dsn))
            with stage.serving(dsn) as server:
                _measure_backlog(stage, results, server, dsn, seconds)
        with stage.servers.copied(stage.template) as with_dsn, stage.servers.copied(stage.template) as without_dsn:
            asyncio.run(_arm(with_dsn, is_due=False))
            with stage.serving(with_dsn, WORK="off") as with_clocks, stage.serving(without_dsn, WORK="off") as without:
                _measure_changes(stage, results, (with_clocks, without), seconds, number)


def _measure_backlog(stage: Stage, results: Results, server: Server, dsn: str, seconds: int) -> None:
    began_at = time.monotonic()
    ended: list[float] = []
    waiting = threading.Thread(target=lambda: ended.append(asyncio.run(_fired_after(dsn, began_at))))
    waiting.start()
    beside = _run(server, _NEW, "201", seconds, 1)
    waiting.join()
    if not ended:
        raise LoadFailed("the timers did not fire")
    without = _run(server, _NEW, "201", seconds, 2_000_000)
    title = f"{TIMERS:,} timers due at once"
    results.add(f"{title}: time until all have fired", ended[0], limit=DURATION_LIMIT_S, unit="s")
    results.add(f"POST beside {title} : without, p99", beside.p99_ms / without.p99_ms, limit=P99_LIMIT)
    results.note("POST beside timers: p99", beside.p99_ms, "ms")
    results.note("POST without timers: p99", without.p99_ms, "ms")
    stage.report(f"{title}: {ended[0]:.1f} s; POST p99 {beside.p99_ms:.1f} : {without.p99_ms:.1f} ms")


def _measure_changes(stage: Stage, results: Results, servers: tuple[Server, Server], seconds: int, number: int) -> None:
    runs: dict[int, list[Measured]] = {id(server): [] for server in servers}
    order = [*servers, *reversed(servers)] if number % 2 else [*reversed(servers), *servers]
    for place, server in enumerate(order):
        runs[id(server)].append(_run(server, _CHANGED, "200", seconds, 1_000_000 * (4 * number + place)))
    with_clocks, without = (sum(run.cpu_us + run.database_cpu_us for run in runs[id(server)]) / 2 for server in servers)
    results.add("PATCH with clocks : without, CPU with PostgreSQL's", with_clocks / without, limit=PATCH_LIMIT)
    stage.report(f"PATCH with clocks : without: {with_clocks:.0f} : {without:.0f} µs")


def _run(server: Server, requests: list[Request], expected: str, seconds: int, number: int) -> Measured:
    measured = load(server, requests, seconds=seconds, number=number, connections=_CONNECTIONS)
    if measured.share_of(expected) < 1:
        raise LoadFailed(f"{requests[0].path}: {measured.responses}, where {expected} was expected")
    return measured


async def _arm(dsn: str, *, is_due: bool = True) -> None:
    """Give the open tickets clocks: each has a warning and a breach, that are due or far away."""
    connection = await asyncpg.connect(dsn)
    try:
        calendar_id = await connection.fetchval(
            "INSERT INTO calendars (name, zone, weekly) VALUES ('Always', 'UTC', $1) RETURNING id", _ALWAYS
        )
        policy_id = await connection.fetchval(
            "INSERT INTO sla_policies (name, position, calendar_id, resolution_s, match)"
            """ VALUES ('Standard', 1, $1, $2, '{"tag": ["under-a-policy"]}') RETURNING id""",
            calendar_id,
            _BUDGET_S,
        )
        columns = _columns(policy_id, calendar_id, timedelta(hours=-2 if is_due else 1000))
        assignments = ", ".join(f"{name} = ${place}" for place, name in enumerate(columns, 1))
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(
                f"UPDATE tickets SET {assignments} WHERE id IN (SELECT id FROM tickets WHERE status <> 'closed'"
                f" ORDER BY id LIMIT {TIMERS // 2})",
                *columns.values(),
            )
        await connection.execute("VACUUM ANALYZE tickets")
    finally:
        await connection.close()


def _columns(policy_id: int, calendar_id: int, begins_in: timedelta) -> dict[str, object]:
    """Return the columns of a clock that began, or will begin, at a time from now."""
    began = datetime.now(UTC) + begins_in
    warn_at, due_at = (began + timedelta(seconds=share * _BUDGET_S) for share in (0.8, 1))
    kind = ClockKind.RESOLUTION
    clock = Clock(kind, policy_id, calendar_id, _BUDGET_S, running_since=began, warn_at=warn_at, due_at=due_at)
    terms = Terms(policy_id, calendar_id, {kind: _BUDGET_S})
    return {**columns_of([clock], terms), "timer_at": warn_at}


async def _fired_after(dsn: str, began_at: float) -> float:
    """Return how many seconds after a time no timer was due any more."""
    connection = await asyncpg.connect(dsn)
    try:
        while await connection.fetchval("SELECT EXISTS (SELECT FROM tickets WHERE timer_at <= now())"):
            if time.monotonic() - began_at > _MAX_S:
                raise TimeoutError(f"timers were still due after {_MAX_S} s")
            await asyncio.sleep(_POLL_EVERY_S)
        return time.monotonic() - began_at
    finally:
        await connection.close()
