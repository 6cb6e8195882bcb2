"""The migration that numbers the history in the event log works while events are written, and can be interrupted."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory

from core.settings import async_dsn
from db.postgres.database import Database
from db.postgres.migrations import alembic_config
from services.events.epochs import begin_epoch_if_restored
from services.events.publisher import EventPublisher
from services.tickets.commit_signal import CommitSignal
from support.event_rows import EQUAL, change, difference, log_of, open_ticket
from support.factories import migrate_to_head, new_database

BEFORE, INDEXED, NUMBERED = "e5a1d7c3b942", "b94d2e6a0c31", "c05e3f7b1d42"
HISTORY = 12_000
# Tickets with a few events each, whose times are mixed with those of the other tickets.
WRITE_HISTORY = f"""
    INSERT INTO tickets (subject, text, email) SELECT 'a', 'b', 'a@example.com' FROM generate_series(1, {HISTORY // 4});
    INSERT INTO ticket_events (ticket_id, version, type, actor, created_at)
    SELECT id, step, 'changed', 'test',
        now() - interval '1 year' + interval '1 s' * (abs(hashint8(id)) % 100000 + 1000 * step)
    FROM tickets CROSS JOIN generate_series(1, 4) AS step;
    ALTER TABLE tickets DISABLE TRIGGER USER;
    UPDATE tickets SET version = 4;
    ALTER TABLE tickets ENABLE TRIGGER USER;
"""
IN_ORDER = "SELECT ticket_id, version FROM ticket_events ORDER BY created_at, ticket_id, version"


@pytest.fixture
async def dsn(postgres_dsn: str) -> AsyncIterator[str]:
    """A database of the release before the event log."""
    async with new_database(postgres_dsn) as dsn:
        await upgrade(dsn, BEFORE)
        yield dsn


@pytest.fixture
async def sql(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


async def upgrade(dsn: str, revision: str) -> None:
    await asyncio.to_thread(command.upgrade, alembic_config(async_dsn(dsn)), revision)


async def number_some(dsn: str) -> None:
    """Number a part of the history, as a migration does that is interrupted."""
    revision = ScriptDirectory.from_config(alembic_config("unused")).get_revision(NUMBERED)
    assert revision is not None
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval(revision.module._NUMBER_BATCH.text.replace(":size", "700")) == 700  # noqa: SLF001
    await connection.close()


async def publish(dsn: str) -> None:
    database = Database(async_dsn(dsn), pool_size=1)
    await EventPublisher(database, CommitSignal()).publish_round()
    await database.close()


async def test_the_history_is_numbered_in_the_order_of_its_times(dsn: str, sql: asyncpg.Connection) -> None:
    await sql.execute(WRITE_HISTORY)
    await migrate_to_head(dsn)
    assert await log_of(sql) == [(row["ticket_id"], row["version"]) for row in await sql.fetch(IN_ORDER)]
    assert await difference(sql) == EQUAL
    assert await sql.fetchval("SELECT last_position FROM event_publisher") == HISTORY
    assert await sql.fetchval("SELECT bool_and(published_at < now() - interval '300 days') FROM event_log")
    await publish(dsn)
    assert await difference(sql) == EQUAL


async def test_an_interrupted_numbering_goes_on_where_it_was(dsn: str, sql: asyncpg.Connection) -> None:
    await sql.execute(WRITE_HISTORY)
    await upgrade(dsn, INDEXED)
    await number_some(dsn)
    await publish(dsn)  # nobody publishes yet
    assert len(await log_of(sql)) == 700
    await migrate_to_head(dsn)
    assert await difference(sql) == EQUAL
    assert await sql.fetchval("SELECT last_position FROM event_publisher") == HISTORY


async def test_the_numbering_begins_again_after_a_downgrade(dsn: str, sql: asyncpg.Connection) -> None:
    await open_ticket(sql)
    await migrate_to_head(dsn)
    await change(sql, await open_ticket(sql))
    await publish(dsn)
    await asyncio.to_thread(command.downgrade, alembic_config(async_dsn(dsn)), INDEXED)
    await open_ticket(sql)
    await migrate_to_head(dsn)
    await publish(dsn)
    assert await difference(sql) == EQUAL


async def test_writers_go_on_while_the_history_is_numbered(dsn: str, sql: asyncpg.Connection) -> None:
    await sql.execute(WRITE_HISTORY)
    is_migrated = asyncio.Event()

    async def write(pause_s: float) -> int:
        """Write events in transactions that stay open for a while, some of which began before the migration."""
        written = 0
        connection = await asyncpg.connect(dsn)
        ticket_id = await open_ticket(connection)
        while not is_migrated.is_set():
            async with connection.transaction():
                await connection.execute("SELECT pg_current_xact_id()")
                await asyncio.sleep(pause_s)
                await change(connection, ticket_id)
                await asyncio.sleep(pause_s)
            written += 1
        await connection.close()
        return written

    async def publish_all_along() -> None:
        while not is_migrated.is_set():
            await asyncio.sleep(0.02)
            if await sql.fetchval("SELECT to_regclass('system_events') IS NOT NULL"):  # the last table that it reads
                await publisher.publish_round()

    database = Database(async_dsn(dsn), pool_size=1)
    publisher = EventPublisher(database, CommitSignal())
    writing = [asyncio.create_task(write(pause_s)) for pause_s in (0, 0, 0.005, 0.02, 0.1)]
    publishing = asyncio.create_task(publish_all_along())
    await asyncio.sleep(0.1)
    await migrate_to_head(dsn)
    await asyncio.sleep(0.1)
    is_migrated.set()
    assert min(await asyncio.gather(*writing)) > 0
    await publishing
    await publisher.publish_round()
    await database.close()
    assert await difference(sql) == EQUAL


async def test_a_dump_of_a_half_numbered_history_is_recognized_when_it_is_restored(
    dsn: str, sql: asyncpg.Connection
) -> None:
    await sql.execute(WRITE_HISTORY)
    await upgrade(dsn, INDEXED)
    await open_ticket(sql)
    await number_some(dsn)
    # As if the dump were of another server.
    await sql.execute("UPDATE event_numbering SET system_identifier = 1, seen = '900000000:900000000:'")
    await migrate_to_head(dsn)
    database = Database(async_dsn(dsn), pool_size=1)
    assert await begin_epoch_if_restored(database) is not None
    await EventPublisher(database, CommitSignal()).publish_round()
    await database.close()
    assert await difference(sql) == EQUAL
