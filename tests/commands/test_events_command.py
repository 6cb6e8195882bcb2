"""The command that manages the event log, run in a process, and the start of the service after a restore."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from core.settings import async_dsn
from db.postgres.database import Database
from services.events.publisher import EventPublisher
from services.tickets.commit_signal import CommitSignal
from support.event_rows import EQUAL, difference, open_ticket
from support.factories import settings_for
from support.service_process import ServiceProcess, clean_environment, operator_command

EPOCH = re.compile(r"^epoch: ([0-9a-f-]{36})$", re.MULTILINE)
RESTORE_FROM_ELSEWHERE = "UPDATE event_publisher SET seen = '900000000:900000000:', system_identifier = 1"


@pytest.fixture
async def sql(own_database_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(own_database_dsn)
    yield connection
    await connection.close()


async def events_command(dsn: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(DATABASE_DSN=dsn, REDIS_HOST="127.0.0.1")
    return await asyncio.to_thread(operator_command, "events.py", environment, *arguments)


async def test_the_status_shows_positions_epoch_and_lag(own_database_dsn: str, sql: asyncpg.Connection) -> None:
    await open_ticket(sql)
    database = Database(async_dsn(own_database_dsn), pool_size=1)
    await EventPublisher(database, CommitSignal()).publish_round()
    await database.close()
    await open_ticket(sql)
    done = await events_command(own_database_dsn, "status")
    assert done.returncode == 0, done.stderr
    assert EPOCH.search(done.stdout)
    assert "first position: 1\nlast position: 1\nwaiting: 1 events, the first for " in done.stdout


async def test_a_new_epoch_is_printed(own_database_dsn: str) -> None:
    before = EPOCH.findall((await events_command(own_database_dsn, "status")).stdout)
    begun = EPOCH.findall((await events_command(own_database_dsn, "new-epoch")).stdout)
    after = EPOCH.findall((await events_command(own_database_dsn, "status")).stdout)
    assert len(begun) == 1
    assert begun == after != before


async def test_the_status_names_a_restored_database_and_one_without_numbers(
    own_database_dsn: str, sql: asyncpg.Connection
) -> None:
    await sql.execute(RESTORE_FROM_ELSEWHERE)
    assert "restored: yes" in (await events_command(own_database_dsn, "status")).stdout
    await sql.execute("DELETE FROM event_publisher")
    for action in ("status", "new-epoch"):
        done = await events_command(own_database_dsn, action)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("events: the history is not numbered yet")


async def test_without_a_command_or_a_database_it_explains_itself(own_database_dsn: str) -> None:
    done = await events_command(own_database_dsn)
    assert done.returncode == 2
    assert "status or new-epoch" in done.stderr
    for dsn in ("postgresql://nobody@127.0.0.1:1/tickets", "not a dsn"):
        done = await asyncio.to_thread(
            operator_command, "events.py", clean_environment(DATABASE_DSN=dsn, STARTUP_TIMEOUT="0"), "status"
        )
        assert done.returncode == 1
        assert re.fullmatch(r"events: .+\n", done.stderr)


async def test_a_start_adopts_the_log_of_a_restored_database(
    own_database_dsn: str, sql: asyncpg.Connection, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    await open_ticket(sql)
    await sql.execute(RESTORE_FROM_ELSEWHERE)
    async with ServiceProcess(tmp_path / "log", settings_for(own_database_dsn, *redis_address)) as service:
        assert "restored from a dump" in service.output
        await open_ticket(sql)
        async with asyncio.timeout(10):
            while await difference(sql) != EQUAL:
                await asyncio.sleep(0.05)
