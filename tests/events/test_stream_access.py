"""The access of a stream is checked, whatever it waits for; and what requesters get after a change of the viewers."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import asyncpg
import pytest

from core.errors import Unauthenticated
from db.postgres.database import Database
from models import Role
from schemas.cloud_events import StreamQuery
from services.access.principal import Principal
from services.events import access_watch, feed, stream
from services.events.access_watch import Access
from services.events.publisher import EventPublisher
from support.event_readers import AGENT, BOB, reading
from support.event_rows import change, open_ticket

SET_PARTICIPANTS = """
    WITH changed AS (
        UPDATE tickets SET version = version + 1, participants = $2 WHERE id = $1 RETURNING id, version
    )
    INSERT INTO ticket_events (ticket_id, version, type, actor, data)
    SELECT id, version, 'changed', 'test', '{"participants": {"from": [], "to": []}}' FROM changed
"""


async def next_event(chunks: AsyncGenerator[bytes, None]) -> bytes:
    """Return the next chunk with an event."""
    async with asyncio.timeout(5):
        while b"data: " not in (chunk := await anext(chunks)):
            pass
    return chunk


async def read_all(opened: stream.EventStream) -> list[bytes]:
    return [chunk async for chunk in opened.chunks()]


async def test_access_is_checked_while_a_stream_waits_for_its_turn_to_read(
    database: Database, publisher: EventPublisher, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused() -> Principal:
        raise Unauthenticated("the key is revoked", are_refused=True)

    await open_ticket(sql)
    await publisher.publish_round()
    monkeypatch.setattr(feed, "MAX_READS_AT_ONCE", 0)
    monkeypatch.setattr(access_watch, "CHECK_EVERY_S", 0.3)
    async with reading(database, publisher) as readers:
        opened = await readers.streams.open(StreamQuery(after="start"), None, AGENT, Access("key", refused))
        async with asyncio.timeout(5):
            assert len(await read_all(opened)) == 1


async def test_access_is_checked_after_a_page_that_took_long(
    database: Database, publisher: EventPublisher, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused() -> Principal:
        raise Unauthenticated("the key is revoked", are_refused=True)

    await open_ticket(sql)
    await publisher.publish_round()
    monkeypatch.setattr(access_watch, "CHECK_EVERY_S", 0.3)
    async with reading(database, publisher) as readers:
        opened = await readers.streams.open(StreamQuery(after="start"), None, AGENT, Access("key", refused))
        chunks = opened.chunks()
        await anext(chunks)
        async with sql.transaction():
            await sql.execute("LOCK TABLE event_log IN ACCESS EXCLUSIVE MODE")
            last = asyncio.create_task(anext(chunks, b""))
            await asyncio.sleep(0.5)
        assert await last == b""


async def test_the_credentials_of_many_streams_are_checked_once(
    database: Database, publisher: EventPublisher, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = 0
    is_changed = False

    async def check() -> Principal:
        nonlocal checks
        checks += 1
        return replace(AGENT, role=Role.REQUESTER, email="bob@example.com") if is_changed else AGENT

    await open_ticket(sql)
    await publisher.publish_round()
    monkeypatch.setattr(access_watch, "CHECK_EVERY_S", 0.2)
    async with reading(database, publisher) as readers:
        opened = [
            await readers.streams.open(StreamQuery(after="now"), None, AGENT, Access("key", check)) for _ in range(20)
        ]
        reading_all = asyncio.gather(*(read_all(stream) for stream in opened))
        await asyncio.sleep(0.5)
        assert (checks, reading_all.done()) == (2, False)
        is_changed = True
        async with asyncio.timeout(5):
            assert all(b"reset" not in b"".join(chunks) for chunks in await reading_all)
        assert checks == 3
        await asyncio.sleep(0.3)
        assert checks == 3


async def test_a_requester_gets_no_earlier_event_of_a_ticket_that_they_may_not_see_any_more(
    database: Database, publisher: EventPublisher, sql: asyncpg.Connection
) -> None:
    async def permitted() -> Principal:
        return BOB

    shared, own = await open_ticket(sql), await open_ticket(sql)
    for ticket_id in (shared, own):
        await sql.execute(SET_PARTICIPANTS, ticket_id, ["bob@example.com"])
    await publisher.publish_round()
    async with reading(database, publisher) as readers:
        chunks = (await readers.streams.open(StreamQuery(after="now"), None, BOB, Access("key", permitted))).chunks()
        await anext(chunks)
        await change(sql, own)
        waiting = asyncio.create_task(next_event(chunks))
        await readers.until_following()
        await publisher.publish_round()
        assert b'"id":"%d.3"' % own in await waiting
        # The client is slow: it asks for nothing while this happens.
        await change(sql, shared)
        await publisher.publish_round()
        await sql.execute(SET_PARTICIPANTS, shared, [])
        await change(sql, own)
        await publisher.publish_round()
        async with asyncio.timeout(5):
            while readers.hub.position != 8:
                await asyncio.sleep(0.01)
        chunk = await next_event(chunks)
        assert b'"id":"%d.4"' % own in chunk
        assert b'"subject":"%d"' % shared not in chunk
        await chunks.aclose()


async def test_a_check_that_fails_unexpectedly_ends_the_stream(
    database: Database,
    publisher: EventPublisher,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken() -> Principal:
        raise ZeroDivisionError

    await publisher.publish_round()
    monkeypatch.setattr(access_watch, "CHECK_EVERY_S", 0.1)
    async with reading(database, publisher) as readers:
        opened = await readers.streams.open(StreamQuery(after="now"), None, AGENT, Access("key", broken))
        async with asyncio.timeout(5):
            assert len(await read_all(opened)) == 1
    assert "cannot check the credentials" in caplog.text
