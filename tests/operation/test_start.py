"""What a start waits for, and that it says so."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from alembic import command

from core.settings import ROOT, async_dsn
from db.embedded import EmbeddedPostgres
from db.postgres.migrations import alembic_config
from operation.instances import started
from operation.load import lost, under_load
from support.factories import new_database

ADVISORY_LOCK = 7_415_530_148
BEFORE_THE_WORDS = "c8b1d3e05f67"
# What a migration may cost a request, where two seconds are promised and a machine may be busy.
DELAYED_AT_MOST_S = 2.9


@pytest.fixture
async def dsn(postgres_dsn: str) -> AsyncIterator[str]:
    async with new_database(postgres_dsn) as dsn:
        yield dsn


async def test_it_waits_for_postgresql_and_says_so_once(
    server_folder: Path, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    postgres = EmbeddedPostgres(server_folder / "postgres-that-is-late")
    postgres.start()
    postgres.stop()

    async def come_late() -> None:
        await asyncio.sleep(1.5)
        await asyncio.to_thread(postgres.start)

    coming = asyncio.create_task(come_late())
    try:
        async with started(tmp_path / "log", postgres.dsn, redis_address) as instance:
            assert instance.said.count("waiting up to 10 s for PostgreSQL: ") == 1
    finally:
        await coming
        postgres.stop()


async def test_one_migrates_while_others_wait_and_say_so(dsn: str) -> None:
    holder = await asyncpg.connect(dsn)
    await holder.execute(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
    processes = [await migrating(dsn) for _ in range(2)]
    for process in processes:
        assert process.stderr is not None
        said = await asyncio.wait_for(process.stderr.readline(), 20)
        assert said == b"waiting for another process that migrates the database\n"
    await asyncio.sleep(0.5)
    assert [process.returncode for process in processes] == [None, None]
    await holder.close()
    for process in processes:
        _, said = await asyncio.wait_for(process.communicate(), 20)
        # Of the two, one may have to wait for the other, but it has said so.
        assert (process.returncode, said) == (0, b"")


async def test_who_waits_for_too_long_for_its_turn_gives_up(dsn: str) -> None:
    holder = await asyncpg.connect(dsn)
    await holder.execute(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
    process = await migrating(dsn, timeout_s=0.5)
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode != 0
    assert "MIGRATION_TIMEOUT" in said.decode()
    await holder.close()


async def test_a_migration_steps_back_from_a_long_transaction_and_traffic_flows(
    dsn: str, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    # Who may come in is not asked for: the downgrade takes the keys away as well.
    async with started(tmp_path / "log", dsn, redis_address, ALLOW_ANONYMOUS="true") as instance:
        await asyncio.to_thread(command.downgrade, alembic_config(async_dsn(dsn)), BEFORE_THE_WORDS)
        async with under_load(instance.url, clients=4) as load:
            holder = await asyncpg.connect(dsn)
            async with holder.transaction():
                await holder.execute("LOCK TABLE tickets IN ROW EXCLUSIVE MODE")  # as every write does
                process = await migrating(dsn)
                await asyncio.sleep(4)
                assert process.returncode is None
            await holder.close()
            _, said = await asyncio.wait_for(process.communicate(), 30)
            assert process.returncode == 0, said.decode()
            turns = said.decode().count("a migration did not get its lock")
            assert turns
        assert await instance.ask("/readyz") == 200
    counts = f"{sum(load.answers.values())} requests, {len(load.acknowledged)} writes"
    print(f"\nmigrated after {turns} turns amid {counts}, the slowest in {load.longest_s:.2f} s")  # noqa: T201
    assert load.failures == []
    assert load.longest_s < DELAYED_AT_MOST_S
    assert await lost(dsn, load) == []


async def test_an_index_that_is_built_concurrently_waits_for_a_long_transaction(dsn: str) -> None:
    """It is in nobody's way meanwhile, while to begin anew each time would never end."""
    holder = await asyncpg.connect(dsn)
    async with holder.transaction(isolation="repeatable_read"):
        await holder.execute("SELECT")
        process = await migrating(dsn)
        await until_building(dsn)
        await asyncio.sleep(1.5)
        assert process.returncode is None
    await holder.close()
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert said == b""
    assert await process.wait() == 0


async def until_building(dsn: str) -> None:
    watcher = await asyncpg.connect(dsn)
    async with asyncio.timeout(20):
        while not await watcher.fetchval("SELECT count(*) FROM pg_stat_progress_create_index"):
            await asyncio.sleep(0.02)
    await watcher.close()


async def migrating(dsn: str, timeout_s: float = 60) -> Process:
    """Start to migrate in a process of its own, as each instance does."""
    program = f"from db.postgres.migrations import migrate; migrate({async_dsn(dsn)!r}, timeout_s={timeout_s})"
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env={"PYTHONPATH": str(ROOT / "src")}, stderr=PIPE
    )
