"""Workers that are killed at any moment send each draft once, and make each change of a bulk change once."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from core.settings import ROOT, Settings
from db.postgres.database import Database
from models import Role
from services.access.principal import Principal
from support.factories import a_new_ticket, cache_of, settings_for, ticket_changes
from support.service_process import clean_environment

AGENT = Principal("anonymous", Role.AGENT)
TICKETS = 90
TIMEOUT_S = 100


@pytest.fixture
async def sql(own_database_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(own_database_dsn)
    yield connection
    await connection.close()


@pytest.fixture
def settings(own_database_dsn: str, redis_address: tuple[str, int]) -> Settings:
    return settings_for(own_database_dsn, *redis_address, work="off")


async def test_killed_workers_do_everything_once(
    settings: Settings, own_database_dsn: str, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    database = Database(own_database_dsn, pool_size=2)
    async with cache_of(settings) as cache:
        changes = ticket_changes(database, cache)
        ids = [(await changes.create(a_new_ticket(), AGENT)).id for _ in range(TICKETS)]
    await database.close()
    await sql.execute(
        "INSERT INTO drafts (principal_id, ticket_id, kind, email, text, counter, base_version, send_at)"
        " SELECT 'anonymous', id, 'note', 'bob@example.com', 'Hello', 1, 1, now() FROM tickets"
    )
    await sql.execute(
        "INSERT INTO bulk_runs (principal_id, action, ticket_ids) VALUES ('anonymous', $1, $2)",
        json.dumps({"add_tags": ["x"]}),
        ids,
    )
    workers = [start(settings, tmp_path / "log") for _ in range(3)]
    try:
        await changed(sql, 20)
        workers[0].send_signal(signal.SIGKILL)
        await changed(sql, 80)
        workers[1].send_signal(signal.SIGKILL)
        await changed(sql, 2 * TICKETS)
        async with asyncio.timeout(TIMEOUT_S):
            while await sql.fetchval("SELECT finished_at FROM bulk_runs") is None:
                await asyncio.sleep(0.1)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert await sql.fetchval("SELECT count(*) FROM drafts") == 0
    histories = await sql.fetch(
        "SELECT array_agg(type ORDER BY type) AS types FROM ticket_events WHERE version > 1 GROUP BY ticket_id"
    )
    assert [row["types"] for row in histories] == [["changed", "noted"]] * TICKETS
    results = json.loads(await sql.fetchval("SELECT results FROM bulk_runs"))
    assert [(each["ticket_id"], each["changed"]) for each in results] == [(ticket_id, True) for ticket_id in ids]


async def changed(sql: asyncpg.Connection, at_least: int) -> None:
    """Return when so many versions were made."""
    async with asyncio.timeout(TIMEOUT_S):
        while await sql.fetchval("SELECT count(*) FROM ticket_events WHERE version > 1") < at_least:
            await asyncio.sleep(0.01)


def start(settings: Settings, log: Path) -> "subprocess.Popen[bytes]":
    assert settings.database_dsn is not None
    assert settings.redis_host is not None
    environment = clean_environment(
        DATABASE_DSN=settings.database_dsn.get_secret_value(),
        REDIS_HOST=settings.redis_host,
        REDIS_PORT=str(settings.redis_port),
        REDIS_PREFIX=settings.redis_prefix,
    )
    with log.open("ab") as output:
        command = (sys.executable, ROOT / "src" / "worker.py")
        return subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=ROOT)
