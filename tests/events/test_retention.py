"""The retention deletes the lowest positions of the log, and nothing of the history."""

import asyncio

import asyncpg
import pytest

from db.postgres.database import Database
from services.events import retention, statements
from services.events.publisher import EventPublisher, Round
from services.events.retention import purge_log
from support.event_rows import change, open_ticket

POSITIONS = "SELECT first_position, last_position FROM event_publisher"


@pytest.fixture
async def old(sql: asyncpg.Connection, publisher: EventPublisher) -> asyncpg.Connection:
    """A log of ten events, the first six of which were published 100 days ago."""
    ticket_id = await open_ticket(sql)
    for _ in range(9):
        await change(sql, ticket_id)
    assert await publisher.publish_round() == Round(10, 10)
    await sql.execute("UPDATE event_log SET published_at = now() - interval '100 days' WHERE position <= 6")
    return sql


async def positions(sql: asyncpg.Connection) -> tuple[list[int], tuple[int, int]]:
    """Return the positions that the log has, and those that its state names."""
    kept = [row["position"] for row in await sql.fetch("SELECT position FROM event_log ORDER BY position")]
    state = await sql.fetchrow(POSITIONS)
    assert state is not None
    return kept, (state["first_position"], state["last_position"])


async def test_entries_that_are_older_are_deleted(old: asyncpg.Connection, database: Database) -> None:
    assert await purge_log(database, retention_days=101) == 0
    assert await purge_log(database, retention_days=99) == 6
    assert await positions(old) == ([7, 8, 9, 10], (7, 10))
    assert await old.fetchval("SELECT count(*) FROM ticket_events") == 10


async def test_an_old_entry_above_a_younger_one_stays(old: asyncpg.Connection, database: Database) -> None:
    await old.execute("UPDATE event_log SET published_at = now() WHERE position = 3")
    assert await purge_log(database, retention_days=90) == 2
    assert await positions(old) == ([3, 4, 5, 6, 7, 8, 9, 10], (3, 10))


async def test_the_last_entry_stays_however_old_it_is(
    old: asyncpg.Connection, database: Database, publisher: EventPublisher
) -> None:
    await old.execute("UPDATE event_log SET published_at = now() - interval '9 years'")
    assert await purge_log(database, retention_days=90) == 9
    assert await positions(old) == ([10], (10, 10))
    await change(old, await open_ticket(old))
    await publisher.publish_round()
    assert await purge_log(database, retention_days=90) == 1
    assert await positions(old) == ([11, 12], (11, 12))


async def test_an_empty_log_has_nothing_to_delete(sql: asyncpg.Connection, database: Database) -> None:
    assert await purge_log(database, retention_days=1) == 0
    assert await positions(sql) == ([], (1, 0))


async def test_many_entries_are_deleted_in_batches(old: asyncpg.Connection, database: Database) -> None:
    many = 2 * statements.PURGE_BATCH + 50
    await old.execute(f"""
        INSERT INTO event_log (position, ticket_id, version, published_at)
        SELECT 10 + number, 0, number, now() - interval '1 year' FROM generate_series(1, {many}) AS number;
        UPDATE event_log SET published_at = now() - interval '1 year';
        UPDATE event_publisher SET last_position = 10 + {many};
    """)
    assert await purge_log(database, retention_days=90) == many + 9
    assert await positions(old) == ([many + 10], (many + 10, many + 10))


async def test_the_work_purges_until_it_is_cancelled(
    old: asyncpg.Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PURGE_EVERY_S", 0.01)
    working = asyncio.create_task(retention.purge_continually(database, retention_days=90))
    async with asyncio.timeout(5):
        while (await positions(old))[1] != (7, 10):
            await asyncio.sleep(0.01)
    working.cancel()
