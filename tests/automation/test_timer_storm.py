"""Timers under faults: workers are killed while they fire and clients answer, and each timer fires once or never."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from automation.conftest import HOUR, Automated
from core.settings import ROOT, Settings
from services.automation import timers as module
from services.sla.repair import ClockRepair
from support.factories import JSON
from support.service_process import clean_environment

TICKETS = 120
WORKERS = 2
KILLS = 5
TIMEOUT_S = 60
SEED = 7


@pytest.fixture
def environment(automated_settings: Settings) -> dict[str, str]:
    assert automated_settings.database_dsn is not None
    return clean_environment(
        DATABASE_DSN=automated_settings.database_dsn.get_secret_value(),
        REDIS_HOST=automated_settings.redis_host or "",
        REDIS_PORT=str(automated_settings.redis_port),
        REDIS_PREFIX=automated_settings.redis_prefix,
    )


@pytest.fixture
def workers(environment: dict[str, str], tmp_path: Path) -> Iterator["Workers"]:
    workers = Workers(environment, tmp_path / "log")
    yield workers
    workers.stop()


class Workers:
    """Worker processes of the service, of which a killed one is replaced."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self._running = [self._start() for _ in range(WORKERS)]

    def kill(self, number: int) -> None:
        killed = self._running[number % WORKERS]
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        self._running[number % WORKERS] = self._start()

    def stop(self) -> None:
        for worker in self._running:
            worker.kill()
            worker.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        command = (sys.executable, ROOT / "src" / "worker.py")
        with self._log.open("ab") as log:
            return subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, cwd=ROOT)


async def test_each_timer_fires_once_or_is_cleared_by_the_change_that_won(
    automated: Automated, workers: Workers
) -> None:
    await automated.policy(first_response_s=HOUR, resolution_s=2 * HOUR)
    tickets = [await automated.ticket() for _ in range(TICKETS)]
    dice = random.Random(SEED)  # noqa: S311 - a reproducible choice
    await automated.pass_time(3 * HOUR)
    await asyncio.gather(answer(automated, dice.sample(tickets, TICKETS // 3), dice), kill(automated, workers))
    async with asyncio.timeout(TIMEOUT_S):
        while await due(automated):
            await asyncio.sleep(0.1)
    warnings = 0
    for ticket in tickets:
        fired = [event for event in await automated.events(ticket) if event["actor"] == "system:sla"]
        kinds = [(event["type"], event["data"]["sla_clock"]["kind"]) for event in fired]
        assert len(kinds) == len(set(kinds)), "a timer fired twice"
        found = [event["type"] for event in fired]
        assert found.count("sla_warned") >= found.count("sla_breached")
        warnings += found.count("sla_warned")
    assert warnings > TICKETS
    repair = ClockRepair(automated.database, automated.app.state.changes, automated.app.state.automation)
    differing = {each.ticket_id async for each in repair.differences()}
    assert not differing & {ticket["id"] for ticket in tickets}


async def answer(automated: Automated, tickets: list[JSON], dice: random.Random) -> None:
    """Answer tickets while their timers fire."""
    for ticket in tickets:
        await automated.change(ticket, status="answered")
        await asyncio.sleep(dice.uniform(0, 0.05))


async def kill(automated: Automated, workers: Workers) -> None:
    """Kill the workers in turn, as timers fire."""
    before = await due(automated)
    for number in range(KILLS):
        async with asyncio.timeout(TIMEOUT_S):
            while await due(automated) > before * (KILLS - number) // (KILLS + 1):
                await asyncio.sleep(0.02)
        workers.kill(number)


async def due(automated: Automated) -> int:
    """Return how many tickets have a timer that is due."""
    count: int = await automated.sql.fetchval("SELECT count(*) FROM tickets WHERE timer_at <= service_clock()")
    return count


async def test_due_timers_are_found_by_an_index_range(own_sql: asyncpg.Connection) -> None:
    await own_sql.execute("SET session_replication_role = replica")
    await own_sql.execute(
        "INSERT INTO tickets (subject, text, email, timer_at)"
        " SELECT 'subject', 'text', 'alice@example.com',"
        " CASE WHEN n % 10 = 0 THEN now() + (n - 200) * interval '1 hour' END"
        " FROM generate_series(1, 20000) AS n"
    )
    await own_sql.execute("VACUUM ANALYZE tickets")
    for mode in ("force_custom_plan", "force_generic_plan"):
        await own_sql.execute(f"SET plan_cache_mode = {mode}")
        await own_sql.execute(f"PREPARE due AS {module.DUE.sql}")
        given = {"failed": "'{10}'", "limit": "100"}
        explained = await own_sql.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE due({', '.join(given[name] for name in module.DUE.names)})"
        )
        await own_sql.execute("DEALLOCATE due")
        (scan,) = json.loads(explained)[0]["Plan"]["Plans"][-1:]
        assert (scan["Index Name"], scan["Actual Rows"]) == ("ix_tickets_timer_at", 19)
        assert scan["Rows Removed by Filter"] == 1
