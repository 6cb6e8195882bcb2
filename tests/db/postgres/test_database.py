"""Connections after use, failed transactions, deadlines, and what is known about a write that failed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import asyncpg
import pytest
from asyncpg.exceptions import (
    CheckViolationError,
    InvalidCachedStatementError,
    InvalidTransactionStateError,
    UndefinedTableError,
)
from sqlalchemy import text

from core import deadline
from core.errors import DatabaseUnavailable, DeadlineExceeded, OutcomeUnknown, SearchTimeout
from core.settings import async_dsn
from db.postgres import connections as postgres_connections
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row, Statement
from support.factories import new_database

PID = Statement(text("SELECT pg_backend_pid()"))
WRITE = Statement(text("INSERT INTO things (name) VALUES (:name) RETURNING id, name"))
ALL = Statement(text("SELECT name FROM things ORDER BY name"))
SLEEP = Statement(text("SELECT pg_sleep(:seconds)"))
SLOW_WRITE = Statement(text("INSERT INTO things (name) SELECT :name FROM pg_sleep(5) RETURNING id"))
MISSING = Statement(text("SELECT * FROM nothing"))
# The commit of a transaction that inserts the name "conflict" fails; with the name "lost" it loses its connection.
AT_COMMIT = """
    CREATE TABLE things (id bigint GENERATED ALWAYS AS IDENTITY, name text CHECK (name <> 'forbidden'));
    CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.name = 'conflict' THEN RAISE SQLSTATE '40001'; END IF;
        IF NEW.name = 'lost' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON things DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION at_commit();
"""


@pytest.fixture(scope="module")
async def dsn(postgres_dsn: str) -> AsyncIterator[str]:
    async with new_database(postgres_dsn) as dsn:
        sql = await asyncpg.connect(dsn)
        await sql.execute(AT_COMMIT)
        await sql.close()
        yield dsn


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """A database with one connection in its main pool, and empty tables."""
    sql = await asyncpg.connect(dsn)
    await sql.execute("TRUNCATE things RESTART IDENTITY")
    await sql.close()
    database = Database(async_dsn(dsn), pool_size=1, search_pool_size=1, search_timeout_s=0.2)
    yield database
    await database.close()


async def pid_of(connection: Session) -> int:
    found: int = await connection.value(PID)
    return found


async def pid(database: Database) -> int:
    """Return the backend process id of an acquired connection."""
    async with database.reading() as connection:
        return await pid_of(connection)


async def names(database: Database) -> list[str]:
    async with database.reading() as connection:
        return [row.name for row in await connection.rows(ALL)]


async def write_in_block(database: Database, name: str, then: Callable[[Session], Awaitable[object]] = pid_of) -> None:
    """Insert in a transaction, then call `then` in it."""
    async with database.transaction() as connection:
        await connection.one(WRITE, name=name)
        await then(connection)


async def write_alone(database: Database, name: str, statement: Statement = WRITE) -> Row:
    async with database.deciding() as decision:
        return await decision.create(statement, name=name)


async def sleep(connection: Session) -> None:
    await connection.run(SLEEP, seconds=5)


async def fail(_connection: Session) -> None:
    raise LookupError


async def ignore_a_failure(connection: Session) -> None:
    with suppress(UndefinedTableError):
        await connection.rows(MISSING)


async def test_a_write_is_committed_when_it_returns(database: Database, dsn: str) -> None:
    row = await write_alone(database, "first")
    assert (row.id, row.name, dict(row)) == (1, "first", {"id": 1, "name": "first"})
    with pytest.raises(AttributeError):
        row.color  # noqa: B018 - a missing column must not be None
    other = await asyncpg.connect(dsn)
    assert await other.fetchval("SELECT count(*) FROM things") == 1
    await other.close()


@pytest.mark.parametrize("write", [write_alone, write_in_block])
@pytest.mark.parametrize(("name", "error"), [("conflict", DatabaseUnavailable), ("lost", OutcomeUnknown)])
async def test_a_failed_commit_raises_according_to_the_response_of_the_server(
    database: Database, write: Callable[[Database, str], Awaitable[object]], name: str, error: type[Exception]
) -> None:
    """After an error nothing was committed; without a response the outcome is unknown."""
    with pytest.raises(error):
        await write(database, name)
    assert await names(database) == []


async def test_a_wrong_statement_is_not_an_outage(database: Database) -> None:
    before = await pid(database)
    with pytest.raises(CheckViolationError):
        await write_alone(database, "forbidden")
    for acquire in (database.reading, database.transaction):
        with pytest.raises(UndefinedTableError):
            async with acquire() as connection:
                await connection.rows(MISSING)
    assert await pid(database) == before


async def test_a_write_without_a_response_in_time_has_an_unknown_outcome(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connections, "COMMAND_TIMEOUT_S", 0.3)
    database = Database(async_dsn(dsn), pool_size=1)
    before = await pid(database)
    with pytest.raises(OutcomeUnknown):
        await write_alone(database, "slow", SLOW_WRITE)
    with pytest.raises(DatabaseUnavailable):
        async with database.reading() as connection:
            await connection.rows(SLEEP, seconds=5)
    assert await pid(database) != before
    await database.close()


async def test_a_deadline_raises_according_to_what_was_sent(database: Database) -> None:
    before = await pid(database)
    token = deadline.begin(0.2)
    with pytest.raises(OutcomeUnknown):
        await write_alone(database, "slow", SLOW_WRITE)
    deadline.end(token)
    after = await pid(database)
    assert after != before
    token = deadline.begin(0.2)
    with pytest.raises(DeadlineExceeded):
        await write_in_block(database, "rolled back", sleep)
    deadline.end(token)
    assert await names(database) == []


async def test_a_write_that_waits_for_a_connection_was_not_sent(database: Database) -> None:
    async with database.reading():
        token = deadline.begin(0.1)
        with pytest.raises(DeadlineExceeded):
            await write_alone(database, "waits")
        deadline.end(token)
    assert database.pools["main"].waiting == 0
    assert await names(database) == []


async def test_a_transaction_is_rolled_back_when_its_block_raises(database: Database) -> None:
    before = await pid(database)
    with pytest.raises(LookupError):
        await write_in_block(database, "rolled back", fail)
    assert await names(database) == []
    assert await pid(database) == before


async def test_a_failed_transaction_does_not_count_as_committed(database: Database) -> None:
    """PostgreSQL replies to the COMMIT of a failed transaction without an error."""
    with pytest.raises(InvalidTransactionStateError):
        await write_in_block(database, "rolled back", ignore_a_failure)
    assert await names(database) == []


async def test_sessions_with_outdated_prepared_statements_are_replaced(dsn: str) -> None:
    database = Database(async_dsn(dsn), pool_size=2)

    async def read_in_both() -> None:
        async with database.transaction() as one, database.transaction() as other:
            for connection in (one, other):
                await connection.rows(ALL)

    await read_in_both()
    sql = await asyncpg.connect(dsn)
    await sql.execute("ALTER TABLE things ALTER name TYPE varchar(50)")
    with pytest.raises(InvalidCachedStatementError):
        await read_in_both()
    await read_in_both()
    await sql.close()
    await database.close()


async def test_a_cancelled_transaction_does_not_leak_to_the_next_caller(database: Database) -> None:
    started = asyncio.Event()

    async def be_slow(connection: Session) -> None:
        started.set()
        await sleep(connection)

    task = asyncio.create_task(write_in_block(database, "rolled back", be_slow))
    await started.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert await names(database) == []
    await write_alone(database, "next")
    assert await names(database) == ["next"]


async def test_a_search_times_out_while_it_waits_and_while_it_runs(database: Database) -> None:
    with pytest.raises(SearchTimeout):
        async with database.searching() as connection:
            await connection.rows(SLEEP, seconds=5)
    async with database.searching():
        with pytest.raises(SearchTimeout):
            async with database.searching():
                pass


async def test_listeners_receive_each_statement_and_cause_no_other(database: Database) -> None:
    statements: list[str] = []
    database.add_statement_listener(lambda query: statements.append(query.query))
    await write_alone(database, "first")
    async with database.transaction() as connection:
        await connection.rows(ALL)
    await asyncio.sleep(0)
    assert statements == [WRITE.sql, "BEGIN", ALL.sql, "COMMIT"]


def test_a_statement_is_sent_with_numbered_parameters() -> None:
    statement = Statement(text("SELECT name::text, :b, :a, CAST(:b AS text) WHERE 5 % 3 = 2"))
    assert statement.sql == "SELECT name::text, $1, $2, CAST($1 AS text) WHERE 5 % 3 = 2"
    assert statement.arguments({"a": 1, "b": 2, "unused": 3}) == [2, 1]
    with pytest.raises(KeyError):
        statement.arguments({"a": 1})
