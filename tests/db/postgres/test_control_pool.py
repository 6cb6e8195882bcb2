"""The control pool: its connections are separate from those of the main pool, and no block on it lasts long."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from core.errors import DatabaseUnavailable
from core.settings import async_dsn
from db.postgres import database as postgres_database
from db.postgres.database import CONTROL_POOL_SIZE, CONTROL_TIMEOUT_S, Database
from db.postgres.pool import PoolState
from db.postgres.statements import Statement

ONE = Statement(text("SELECT 1"))
SLEEP = Statement(text("SELECT pg_sleep(10)"))


@pytest.fixture
async def database(postgres_dsn: str) -> AsyncIterator[Database]:
    """One connection for the main pool."""
    database = Database(async_dsn(postgres_dsn), pool_size=1)
    yield database
    await database.close()


async def test_it_has_connections_while_the_main_pool_has_none(database: Database) -> None:
    async with database.reading(), database.control() as connection, database.control() as other:
        assert [await connection.value(ONE), await other.value(ONE)] == [1, 1]
        assert database.pools["control"] == PoolState(size=CONTROL_POOL_SIZE, in_use=2, waiting=0)
    assert database.pools["control"].in_use == 0


async def test_each_block_ends_within_two_seconds(database: Database) -> None:
    assert CONTROL_TIMEOUT_S <= 2
    began_at = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        async with database.control() as connection:
            await connection.run(SLEEP)
    assert time.monotonic() - began_at < CONTROL_TIMEOUT_S + 0.5
    async with database.control() as connection:
        assert await connection.value(ONE) == 1


async def test_the_wait_for_a_connection_ends_as_well(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_database, "CONTROL_TIMEOUT_S", 0.2)
    with pytest.raises(DatabaseUnavailable):
        async with database.control(), database.control(), database.control():
            pass
    assert database.pools["control"] == PoolState(size=CONTROL_POOL_SIZE, in_use=0, waiting=0)


async def test_its_statements_are_reported_to_listeners(database: Database) -> None:
    found: list[str] = []
    database.add_statement_listener(lambda query: found.append(query.query))
    async with database.control() as connection:
        await connection.run(ONE)
    await asyncio.sleep(0)  # the driver reports a query after its result
    assert ONE.sql in found
