"""The publisher gives each committed event one position, in an order that readers can follow."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from core.errors import DatabaseUnavailable
from core.settings import async_dsn
from db.postgres.database import Database
from services.events import statements
from services.events.lag import Lag, measure_lag
from services.events.publisher import MAX_PAUSE_S, ROUND_EVERY_S, EventPublisher, Round
from services.tickets.commit_signal import CommitSignal
from support.event_rows import EQUAL, change, difference, log_of, open_ticket

STATE = "SELECT seen::text, last_position FROM event_publisher"


async def test_a_round_publishes_what_was_committed_once(sql: asyncpg.Connection, publisher: EventPublisher) -> None:
    first, second = await open_ticket(sql), await open_ticket(sql)
    await change(sql, first)
    assert await publisher.publish_round() == Round(3, 3)
    assert await log_of(sql) == [(first, 1), (second, 1), (first, 2)]
    assert await publisher.publish_round() == Round(0, 3)
    await change(sql, second)
    assert await publisher.publish_round() == Round(1, 4)
    assert await difference(sql) == EQUAL


async def test_a_long_transaction_delays_only_its_own_events(
    own_database_dsn: str, sql: asyncpg.Connection, publisher: EventPublisher
) -> None:
    long, other = await open_ticket(sql), await open_ticket(sql)
    connection = await asyncpg.connect(own_database_dsn)
    transaction = connection.transaction()
    await transaction.start()
    await change(connection, long)
    for _ in range(3):
        await change(sql, other)
        await publisher.publish_round()
    assert await log_of(sql) == [(long, 1), (other, 1), (other, 2), (other, 3), (other, 4)]
    await transaction.commit()
    await connection.close()
    assert await publisher.publish_round() == Round(1, 6)
    assert (await log_of(sql))[-1] == (long, 2)


async def test_an_event_that_was_rolled_back_is_not_published(
    sql: asyncpg.Connection, publisher: EventPublisher
) -> None:
    ticket_id = await open_ticket(sql)
    transaction = sql.transaction()
    await transaction.start()
    await change(sql, ticket_id)
    await transaction.rollback()
    assert await publisher.publish_round() == Round(1, 1)
    assert await publisher.publish_round() == Round(0, 1)


async def test_the_versions_of_a_ticket_ascend_also_if_their_times_do_not(
    sql: asyncpg.Connection, publisher: EventPublisher
) -> None:
    now = datetime.now(UTC)
    ticket_id, other = await open_ticket(sql), await open_ticket(sql)
    await change(sql, ticket_id, at=now + timedelta(minutes=5))
    await change(sql, ticket_id, at=now - timedelta(days=3))
    await change(sql, other)
    await publisher.publish_round()
    assert await log_of(sql) == [(ticket_id, 1), (other, 1), (other, 2), (ticket_id, 2), (ticket_id, 3)]


async def test_an_idle_round_writes_nothing_and_takes_no_transaction_id(
    sql: asyncpg.Connection, publisher: EventPublisher
) -> None:
    await open_ticket(sql)
    await publisher.publish_round()
    before = await sql.fetchrow(STATE)
    next_xid = await sql.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
    for _ in range(3):
        await publisher.publish_round()
    assert await sql.fetchrow(STATE) == before
    assert await sql.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text") == next_xid


async def test_while_one_process_publishes_the_others_do_nothing(
    own_database_dsn: str, database: Database, sql: asyncpg.Connection, publisher: EventPublisher
) -> None:
    await open_ticket(sql)
    other = Database(async_dsn(own_database_dsn), pool_size=1)
    async with database.working() as connection:
        assert await connection.value(statements.TRY_LOCK)
        assert await EventPublisher(other, CommitSignal()).publish_round() == Round()
    await other.close()
    assert await publisher.publish_round() == Round(1, 1)


async def test_nothing_is_published_before_the_history_is_numbered(
    database: Database, sql: asyncpg.Connection, publisher: EventPublisher
) -> None:
    await sql.execute("DELETE FROM event_publisher")
    await open_ticket(sql)
    assert await publisher.publish_round() == Round()
    assert await log_of(sql) == []
    assert (await measure_lag(database)).events == 0


async def test_the_lag_is_what_waits_for_the_publisher(
    database: Database, sql: asyncpg.Connection, publisher: EventPublisher
) -> None:
    await open_ticket(sql)
    await publisher.publish_round()
    assert await measure_lag(database) == Lag(0, 0)
    await change(sql, await open_ticket(sql), at=datetime.now(UTC))
    lag = await measure_lag(database)
    assert lag.events == 2
    assert 0 <= lag.seconds < 5
    await publisher.publish_round()
    assert await measure_lag(database) == Lag(0, 0)


async def test_readers_in_the_process_are_woken(publisher: EventPublisher, sql: asyncpg.Connection) -> None:
    next_events = publisher.published.expect()
    await publisher.publish_round()
    assert not next_events.is_set()
    await open_ticket(sql)
    await publisher.publish_round()
    assert next_events.is_set()
    assert publisher.published.last_position == 1


async def test_a_commit_of_this_process_is_published_at_once(database: Database, sql: asyncpg.Connection) -> None:
    committed = CommitSignal()
    publisher = EventPublisher(database, committed)
    running = asyncio.create_task(publisher.run())
    took_s = []
    for _ in range(3):
        await asyncio.sleep(3 * MAX_PAUSE_S)  # the loop is idle
        next_events = publisher.published.expect()
        await open_ticket(sql)
        began_at = time.monotonic()
        committed.notify()
        await asyncio.wait_for(next_events.wait(), 5)
        took_s.append(time.monotonic() - began_at)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert min(took_s) < MAX_PAUSE_S / 5


async def test_rounds_keep_their_distance_while_this_process_commits_much(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed, rounds = CommitSignal(), 0
    publisher = EventPublisher(database, committed)

    async def count() -> Round:
        nonlocal rounds
        rounds += 1
        return Round(1, rounds)

    monkeypatch.setattr(publisher, "publish_round", count)
    running = asyncio.create_task(publisher.run())
    began_at = time.monotonic()
    while time.monotonic() - began_at < 10 * ROUND_EVERY_S:
        committed.notify()
        await asyncio.sleep(0.001)
    running.cancel()
    assert 1 <= rounds <= 11


async def test_the_commits_of_other_processes_are_found_without_a_signal(
    sql: asyncpg.Connection, publisher: EventPublisher
) -> None:
    running = asyncio.create_task(publisher.run())
    await asyncio.sleep(3 * MAX_PAUSE_S)
    next_events = publisher.published.expect()
    await open_ticket(sql)
    await asyncio.wait_for(next_events.wait(), 5)
    running.cancel()


async def test_a_cancelled_round_is_made_up_for_by_the_next(
    own_database_dsn: str, sql: asyncpg.Connection, publisher: EventPublisher
) -> None:
    await open_ticket(sql)
    blocking = await asyncpg.connect(own_database_dsn)
    async with blocking.transaction():
        await blocking.execute("LOCK TABLE event_log")
        blocked = asyncio.create_task(publisher.publish_round())
        cancel = """
            SELECT pg_cancel_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'tickets' AND wait_event_type = 'Lock'
        """
        async with asyncio.timeout(5):
            while not await sql.fetch(cancel):
                await asyncio.sleep(0.01)
        with pytest.raises(DatabaseUnavailable):
            await blocked
    await blocking.close()
    assert await publisher.publish_round() == Round(1, 1)


async def test_a_lost_connection_costs_no_event(sql: asyncpg.Connection, publisher: EventPublisher) -> None:
    running = asyncio.create_task(publisher.run())
    for number in range(1, 4):
        ticket_id = await open_ticket(sql)
        async with asyncio.timeout(10):
            while (ticket_id, 1) not in await log_of(sql):
                await asyncio.sleep(0.02)
        assert await sql.fetch("""
            SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE application_name = 'tickets' AND datname = current_database()
        """), number
    running.cancel()
    assert await difference(sql) == EQUAL


async def test_a_round_finds_the_new_events_by_the_index(sql: asyncpg.Connection, publisher: EventPublisher) -> None:
    await sql.execute("""
        INSERT INTO tickets (subject, text, email) SELECT 'a', 'b', 'a@example.com' FROM generate_series(1, 5000);
        INSERT INTO ticket_events (ticket_id, version, type, actor) SELECT id, 1, 'created', 'test' FROM tickets;
    """)
    await publisher.publish_round()
    await sql.execute("ANALYZE ticket_events, event_log")
    await change(sql, await open_ticket(sql))
    transactions = await sql.fetchrow("SELECT pg_snapshot_xmax(seen)::text, seen::text FROM event_publisher")
    assert transactions is not None
    plan = "\n".join(
        row[0] for row in await sql.fetch(f"EXPLAIN {statements.PUBLISH.sql}", 5000, transactions[0], ["3", "4"])
    )
    assert plan.count("ix_ticket_events_xid") == 2, plan
    assert "Seq Scan on ticket_events" not in plan


async def test_a_system_event_that_an_older_release_passed_over_is_published(
    sql: asyncpg.Connection, publisher: EventPublisher
) -> None:
    await publisher.publish_round()
    await sql.execute("INSERT INTO system_events (type, data, actor) VALUES ('webhook_disabled', '{}', 'test')")
    await sql.execute("UPDATE event_publisher SET seen = pg_current_snapshot()")
    assert [(await publisher.publish_round()).published for _ in range(2)] == [1, 0]
    assert await log_of(sql) == [(0, 1)]
