"""The hub: one reader of the log for all streams and long polls of a process."""

import asyncio
import time

import asyncpg
import pytest

from core.errors import EventsGone
from db.postgres.database import Database
from schemas.cloud_events import StreamQuery
from services.access.principal import Principal
from services.events import feed
from services.events.access_watch import Access
from services.events.feed import Filters, Start
from services.events.publisher import EventPublisher
from services.events.subscriber import Subscriber
from support.event_readers import AGENT, ALICE, BOB, reading
from support.event_rows import change, open_ticket

GO_BACK = "DELETE FROM event_log; UPDATE event_publisher SET last_position = 0"


async def test_the_hub_begins_anew_when_the_positions_go_back(
    database: Database, publisher: EventPublisher, sql: asyncpg.Connection
) -> None:
    for _ in range(3):
        await open_ticket(sql)
    await publisher.publish_round()
    async with reading(database, publisher) as readers:
        old, new = Subscriber(3, None, Filters()), Subscriber(0, None, Filters())
        with readers.hub.subscribed(old):
            await readers.until_following()
            assert readers.hub.position == 3
            await sql.execute(GO_BACK)
            assert await old.wait(5)
            assert old.is_ended
        with readers.hub.subscribed(new):
            await open_ticket(sql)
            await publisher.publish_round()
            async with asyncio.timeout(5):
                while readers.hub.position != 1:
                    await asyncio.sleep(0.01)
            assert not new.is_ended


async def test_what_does_not_concern_a_subscriber_moves_its_position_without_a_signal(
    database: Database, publisher: EventPublisher, sql: asyncpg.Connection
) -> None:
    ticket_id = await open_ticket(sql)
    await publisher.publish_round()
    async with reading(database, publisher) as readers:
        subscribers = {
            "all": Subscriber(1, None, Filters()),
            "alice": Subscriber(1, "alice@example.com", Filters()),
            "bob": Subscriber(1, "bob@example.com", Filters()),
            "of another ticket": Subscriber(1, None, Filters(ticket_id=ticket_id + 1)),
        }
        with (
            readers.hub.subscribed(subscribers["all"]),
            readers.hub.subscribed(subscribers["alice"]),
            readers.hub.subscribed(subscribers["bob"]),
            readers.hub.subscribed(subscribers["of another ticket"]),
        ):
            await readers.until_following()
            await change(sql, ticket_id)
            await publisher.publish_round()
            assert await subscribers["all"].wait(5)
            assert {name for name, each in subscribers.items() if each.is_signalled} == {"all", "alice"}
            assert [each.position for each in subscribers.values()] == [1, 1, 2, 2]


async def test_a_subscriber_that_is_behind_the_hub_is_signalled(
    database: Database, publisher: EventPublisher, sql: asyncpg.Connection
) -> None:
    await open_ticket(sql)
    await publisher.publish_round()
    async with reading(database, publisher) as readers:
        first, second = Subscriber(0, None, Filters()), Subscriber(0, None, Filters())
        with readers.hub.subscribed(first):
            assert await first.wait(5)
            assert readers.hub.position == 1
            with readers.hub.subscribed(second):
                assert second.is_signalled


async def test_long_polls_wait_without_queries_of_their_own(
    database: Database, publisher: EventPublisher, sql: asyncpg.Connection
) -> None:
    statements: list[str] = []
    database.add_statement_listener(lambda query: statements.append(query.query))
    async with reading(database, publisher) as readers:
        query = StreamQuery(after="now", wait=10)
        polls = [asyncio.create_task(readers.polls.page(query, None, AGENT)) for _ in range(5)]
        await readers.until_following()
        await asyncio.sleep(0.5)
        statements.clear()
        await asyncio.sleep(1)
        assert statements == []
        ticket_id = await open_ticket(sql)
        await publisher.publish_round()
        async with asyncio.timeout(5):
            pages = await asyncio.gather(*polls)
        assert all(b'"id":"%d.1"' % ticket_id in page for page in pages)
        assert len(statements) == len(polls)


async def test_a_long_poll_reads_once_more_at_its_end(
    database: Database, publisher: EventPublisher, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the hub does not follow the log."""
    async with reading(database, publisher) as readers:
        monkeypatch.setattr(readers.hub, "_signal", lambda *_: None)
        polling = asyncio.create_task(readers.polls.page(StreamQuery(after="now", wait=1), None, AGENT))
        await readers.until_following()
        ticket_id = await open_ticket(sql)
        await publisher.publish_round()
        assert b'"id":"%d.1"' % ticket_id in await polling


async def test_a_long_poll_on_a_renewed_log_is_refused(
    database: Database, publisher: EventPublisher, sql: asyncpg.Connection
) -> None:
    async with reading(database, publisher) as readers:
        polling = asyncio.create_task(readers.polls.page(StreamQuery(after="now", wait=10), None, AGENT))
        await readers.until_following()
        await sql.execute("UPDATE event_publisher SET epoch = gen_random_uuid()")
        with pytest.raises(EventsGone):
            async with asyncio.timeout(5):
                await polling


async def test_streams_and_long_polls_end_within_two_seconds_of_a_shutdown_also_while_postgresql_hangs(
    database: Database, publisher: EventPublisher, sql: asyncpg.Connection
) -> None:
    async def permitted() -> Principal:
        return AGENT

    async def consume() -> list[bytes]:
        stream = await readers.streams.open(StreamQuery(after="now"), None, AGENT, Access("key", permitted))
        return [chunk async for chunk in stream.chunks()]

    async with reading(database, publisher) as readers:
        streaming = asyncio.create_task(consume())
        polls = [
            asyncio.create_task(readers.polls.page(StreamQuery(after="now", wait=wait), None, AGENT))
            for wait in (1, 20)
        ]
        await readers.until_following()
        async with sql.transaction():
            await sql.execute("LOCK TABLE event_publisher IN ACCESS EXCLUSIVE MODE")
            await asyncio.sleep(1.2)  # the first long poll reads, and waits for the lock
            began_at = time.monotonic()
            readers.shutdown.begin()
            async with asyncio.timeout(2.5):
                chunks, pages = await streaming, await asyncio.gather(*polls)
            assert time.monotonic() - began_at < 2.2
        assert len(chunks) == 1
        assert all(page.startswith(b'{"items":[],') for page in pages)


async def test_the_statement_of_one_ticket_checks_its_visibility(
    database: Database, publisher: EventPublisher, sql: asyncpg.Connection
) -> None:
    ticket_id = await open_ticket(sql)
    await publisher.publish_round()
    async with reading(database, publisher) as readers:
        start, filters = Start(0, None), Filters(ticket_id=ticket_id)
        assert [len((await readers.feed.read(start, filters, each, 9)).items) for each in (AGENT, ALICE, BOB)] == [
            1,
            1,
            0,
        ]


async def test_a_page_ends_after_some_bytes(
    database: Database, publisher: EventPublisher, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        await open_ticket(sql)
    await publisher.publish_round()
    monkeypatch.setattr(feed, "MAX_PAGE_BYTES", 300)
    async with reading(database, publisher) as readers:
        position, lengths = 0, []
        while position < 5:
            page = await readers.feed.read(Start(position, None), Filters(), AGENT, 500)
            assert page.has_more == (page.position < 5)
            lengths.append(len(page.items))
            position = page.position
    assert lengths == [2, 2, 1]
