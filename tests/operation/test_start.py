"""A start waits for PostgreSQL and for other migrations, and logs it."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from core.settings import ROOT, async_dsn
from db.embedded import EmbeddedPostgres
from db.postgres.revisions import known_revisions
from operation.load import lost, under_load
from support.factories import new_database, settings_for
from support.service_process import ServiceProcess, clean_environment

ADVISORY_LOCK = 7_415_530_148
MIGRATE = """
from alembic import command
from db.postgres.migrations import alembic_config
config = alembic_config("{dsn}", timeout_s={timeout_s})
if "{folders}":
    config.set_main_option("version_locations", "{folders}")
command.upgrade(config, "head")
"""
# A migration of a later release that needs a lock for which every write has to wait. It takes the strongest lock first:
# PostgreSQL ends a write at once, as a deadlock, that waits for the weaker one when the stronger one is asked for.
NEXT_RELEASE = f"""
from alembic import op

revision = "ffffffffffff"
down_revision = {known_revisions().head!r}


def upgrade():
    op.execute("LOCK TABLE comments, tickets IN ACCESS EXCLUSIVE MODE")
    op.execute("ALTER TABLE tickets ADD COLUMN later text")
"""
# A migration delays a request by two seconds at most. The rest allows for a busy machine.
MAX_DELAY_S = 2.9
START_TIMEOUT_S = 60


@pytest.fixture
async def dsn(postgres_dsn: str) -> AsyncIterator[str]:
    async with new_database(postgres_dsn) as dsn:
        yield dsn


async def test_it_waits_for_postgresql_and_logs_it_once(
    server_folder: Path, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    postgres = EmbeddedPostgres(server_folder / "late-postgres")
    postgres.start()
    postgres.stop()

    async def start_late() -> None:
        while not log.exists() or "waiting up to" not in log.read_text():
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        await asyncio.to_thread(postgres.start)

    log = tmp_path / "log"
    starting = asyncio.create_task(start_late())
    try:
        async with (
            asyncio.timeout(START_TIMEOUT_S),
            ServiceProcess(log, settings_for(postgres.dsn, *redis_address)) as service,
        ):
            assert service.output.count("waiting up to 10 s for PostgreSQL: ") == 1
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        postgres.stop()


async def test_a_migration_that_fails_is_reported_in_one_line(
    dsn: str, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE tickets ()")  # the first migration cannot create its table
    await connection.close()
    service = ServiceProcess(tmp_path / "log", settings_for(dsn, *redis_address))
    service.launch()
    await asyncio.to_thread(service.process.wait, 30)
    assert service.process.returncode == 1
    last = service.output.splitlines()[-1]
    assert last.startswith("tickets: cannot migrate the database of DATABASE_DSN: ")
    assert 'relation "tickets" already exists' in last


async def test_one_process_migrates_while_others_wait_and_log_it(dsn: str) -> None:
    holder = await asyncpg.connect(dsn)
    await holder.execute(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
    processes = [await migrating(dsn) for _ in range(2)]
    for process in processes:
        assert process.stderr is not None
        line = await asyncio.wait_for(process.stderr.readline(), 20)
        assert line == b"waiting for another process that migrates the database\n"
    await asyncio.sleep(0.5)
    assert [process.returncode for process in processes] == [None, None]
    await holder.close()
    for process in processes:
        _, log = await asyncio.wait_for(process.communicate(), 20)
        # One of the two may wait for the other, but it has logged that already.
        assert (process.returncode, log) == (0, b"")


async def test_a_process_that_waits_too_long_to_migrate_gives_up(dsn: str) -> None:
    holder = await asyncpg.connect(dsn)
    await holder.execute(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
    process = await migrating(dsn, timeout_s=0.5)
    _, log = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode != 0
    assert "MIGRATION_TIMEOUT" in log.decode()
    await holder.close()


async def test_a_migration_yields_to_a_long_transaction_and_requests_go_on(
    dsn: str, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    next_release = tmp_path / "versions"
    next_release.mkdir()
    (next_release / "next.py").write_text(NEXT_RELEASE)
    async with ServiceProcess(tmp_path / "log", settings_for(dsn, *redis_address)) as service:
        async with under_load(service.url, clients=4) as load:
            holder = await asyncpg.connect(dsn)
            async with holder.transaction():
                await holder.execute("LOCK TABLE tickets IN ROW EXCLUSIVE MODE")  # the lock that every write takes
                process = await migrating(dsn, next_release=next_release)
                assert process.stderr is not None
                # It logs a line for each attempt that got no lock.
                failed = [await asyncio.wait_for(process.stderr.readline(), 20) for _ in range(2)]
                assert process.returncode is None, failed
            await holder.close()
            _, log = await asyncio.wait_for(process.communicate(), 30)
            assert process.returncode == 0, (failed, log.decode())
            attempts = len(failed) + log.count(b"\n") + 1
        assert await asyncio.to_thread(service.status, "/readyz") == 200
    counts = f"{sum(load.responses.values())} requests, {len(load.acknowledged)} writes"
    print(f"\nmigrated after {attempts} attempts amid {counts}, the slowest in {load.longest_s:.2f} s")  # noqa: T201
    assert load.failures == []
    assert load.longest_s < MAX_DELAY_S
    assert await lost(dsn, load) == []


async def test_an_index_that_is_built_concurrently_waits_for_a_long_transaction(dsn: str) -> None:
    """It blocks nothing meanwhile, and would never finish if it began again each time."""
    holder = await asyncpg.connect(dsn)
    async with holder.transaction(isolation="repeatable_read"):
        await holder.execute("SELECT")
        process = await migrating(dsn)
        await until_building(dsn)
        await asyncio.sleep(1.5)
        assert process.returncode is None
    await holder.close()
    _, log = await asyncio.wait_for(process.communicate(), 20)
    assert log == b""
    assert await process.wait() == 0


async def until_building(dsn: str) -> None:
    watcher = await asyncpg.connect(dsn)
    async with asyncio.timeout(20):
        while not await watcher.fetchval("SELECT count(*) FROM pg_stat_progress_create_index"):
            await asyncio.sleep(0.02)
    await watcher.close()


async def migrating(dsn: str, timeout_s: float = 60, next_release: Path | None = None) -> Process:
    """Start to migrate in a process of its own, as each service does; to the migrations of `next_release` as well."""
    folders = [] if next_release is None else [ROOT / "src/models/migrations/versions", next_release]
    program = MIGRATE.format(dsn=async_dsn(dsn), timeout_s=timeout_s, folders=os.pathsep.join(map(str, folders)))
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=clean_environment(PYTHONPATH=str(ROOT / "src")), stderr=PIPE
    )
