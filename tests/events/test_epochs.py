"""A new epoch refuses older cursors, and a restored log is adopted without a lost or doubled event."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from core.settings import async_dsn
from db.postgres.database import Database
from services.events.epochs import begin_epoch, begin_epoch_if_restored
from services.events.lag import measure_lag
from services.events.publisher import EventPublisher, Round
from services.events.retention import purge_log
from support.event_rows import EQUAL, change, difference, log_of, open_ticket

# As a dump of another server is: that server had used more transaction ids, and had two events to publish.
RESTORE_FROM_ELSEWHERE = """
    ALTER TABLE ticket_events DISABLE TRIGGER USER;
    UPDATE ticket_events SET xid = '900000000' WHERE (ticket_id, version) IN (SELECT ticket_id, version FROM event_log);
    UPDATE ticket_events SET xid = '950000000'
        WHERE (ticket_id, version) NOT IN (SELECT ticket_id, version FROM event_log);
    ALTER TABLE ticket_events ENABLE TRIGGER USER;
    UPDATE event_publisher SET seen = '940000000:940000000:', system_identifier = 1;
"""


async def epoch_of(sql: asyncpg.Connection) -> UUID:
    epoch: UUID = await sql.fetchval("SELECT epoch FROM event_publisher")
    return epoch


@pytest.fixture
async def restored(sql: asyncpg.Connection, publisher: EventPublisher) -> asyncpg.Connection:
    """A database that was restored from another server: three events are in its log, two are not."""
    ticket_id = await open_ticket(sql)
    await change(sql, ticket_id)
    await change(sql, ticket_id)
    await publisher.publish_round()
    await change(sql, ticket_id, at=datetime.now(UTC) - timedelta(days=400))
    await change(sql, await open_ticket(sql))
    await sql.execute(RESTORE_FROM_ELSEWHERE)
    return sql


async def test_a_new_epoch_keeps_the_positions(
    sql: asyncpg.Connection, database: Database, publisher: EventPublisher
) -> None:
    await open_ticket(sql)
    await publisher.publish_round()
    before = await epoch_of(sql)
    epoch = await begin_epoch(database)
    assert epoch == await epoch_of(sql) != before
    await open_ticket(sql)
    assert await publisher.publish_round() == Round(1, 2)
    assert await difference(sql) == EQUAL


async def test_a_database_that_was_not_restored_keeps_its_epoch(sql: asyncpg.Connection, database: Database) -> None:
    before = await epoch_of(sql)
    assert await begin_epoch_if_restored(database) is None
    assert await epoch_of(sql) == before


async def test_nothing_is_published_in_a_restored_database(
    restored: asyncpg.Connection, database: Database, publisher: EventPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        assert await publisher.publish_round() == Round()
    assert len(await log_of(restored)) == 3
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "new-epoch" in caplog.text
    assert (await measure_lag(database)).is_restored


async def test_a_restored_log_gets_a_new_epoch_and_what_it_lacks(
    restored: asyncpg.Connection, database: Database, publisher: EventPublisher
) -> None:
    await change(restored, await open_ticket(restored))  # by a service that has noticed nothing yet
    before, logged = await epoch_of(restored), await log_of(restored)
    epoch = await begin_epoch_if_restored(database)
    assert epoch == await epoch_of(restored) != before
    assert (await log_of(restored))[:3] == logged
    assert await difference(restored) == EQUAL
    assert await publisher.publish_round() == Round(0, 8)
    await change(restored, await open_ticket(restored))
    assert await publisher.publish_round() == Round(2, 10)
    assert await difference(restored) == EQUAL


async def test_what_the_retention_deleted_is_not_published_again(
    restored: asyncpg.Connection, database: Database
) -> None:
    await restored.execute("UPDATE event_log SET published_at = now() - interval '100 days' WHERE position <= 2")
    assert await purge_log(database, retention_days=90) == 2
    assert await begin_epoch(database) is not None
    assert len(await log_of(restored)) == 1 + 3
    assert await restored.fetchval("SELECT last_position FROM event_publisher") == 6


async def test_writers_go_on_while_a_restored_log_is_adopted(
    own_database_dsn: str, restored: asyncpg.Connection, database: Database, publisher: EventPublisher
) -> None:
    async def write() -> None:
        connection = await asyncpg.connect(own_database_dsn)
        ticket_id = await open_ticket(connection)
        for _ in range(60):
            await change(connection, ticket_id)
        await connection.close()

    other = Database(async_dsn(own_database_dsn), pool_size=1)
    writers = [asyncio.create_task(write()) for _ in range(8)]
    publishing = asyncio.create_task(publisher.run())
    await asyncio.sleep(0.1)
    epochs = await asyncio.gather(begin_epoch_if_restored(database), begin_epoch_if_restored(other))
    assert len([epoch for epoch in epochs if epoch is not None]) == 1
    await asyncio.gather(*writers)
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    await EventPublisher(other, publisher._committed).publish_round()  # noqa: SLF001 - any signal will do
    await other.close()
    assert await difference(restored) == EQUAL


async def test_without_a_numbered_history_there_is_no_epoch(sql: asyncpg.Connection, database: Database) -> None:
    await sql.execute("DELETE FROM event_publisher")
    assert await begin_epoch(database) is None
    assert await begin_epoch_if_restored(database) is None
