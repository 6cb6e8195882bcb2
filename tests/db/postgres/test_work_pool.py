"""The pool of background work: requests never take its connections, and its statements belong to no request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from sqlalchemy import text

from core.settings import async_dsn
from db.postgres.database import Database
from db.postgres.pool import PoolState
from db.postgres.statements import Statement

ONE = Statement(text("SELECT 1"))
WRITE = Statement(text("INSERT INTO written VALUES (1)"))
COUNT = Statement(text("SELECT count(*) FROM written"))


@pytest.fixture
async def database(postgres_dsn: str) -> AsyncIterator[Database]:
    """One connection for the main pool, three for background work."""
    database = Database(async_dsn(postgres_dsn), pool_size=1, work_pool_size=3)
    yield database
    await database.close()


async def test_it_has_connections_while_the_main_pool_has_none(database: Database) -> None:
    async with database.reading(), database.working() as connection, database.working() as other:
        assert [await connection.value(ONE), await other.value(ONE)] == [1, 1]
        assert database.pools["work"] == PoolState(size=3, in_use=2, waiting=0)
    assert database.pools["work"].in_use == 0


async def test_a_block_is_a_transaction(own_database_dsn: str) -> None:
    database = Database(async_dsn(own_database_dsn), pool_size=1)
    async with database.working() as connection:
        await connection.execute("CREATE TABLE written (number integer)")
    with suppress(LookupError):
        async with database.working() as connection:
            await connection.run(WRITE)
            raise LookupError
    async with database.working() as connection:
        assert await connection.value(COUNT) == 0
        await connection.run(WRITE)
    async with database.reading() as connection:
        assert await connection.value(COUNT) == 1
    await database.close()


async def test_its_statements_are_not_reported_to_listeners(database: Database) -> None:
    found: list[str] = []
    database.add_statement_listener(lambda query: found.append(query.query))
    async with database.working() as connection:
        await connection.run(ONE)
    await asyncio.sleep(0)  # the driver reports a query after its result
    assert found == []
