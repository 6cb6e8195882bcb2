"""Streams outlive the time limit of requests."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import asyncpg
import httpx2
import pytest

from feed.conftest import Feed, serving_feed
from feed.test_streams import streaming
from support.factories import NewDatabase

REQUEST_TIMEOUT_S = 1
# More than the sockets buffer: the service reads pages while the client reads.
EVENTS = 30_000
WRITE_EVENTS = """
    INSERT INTO ticket_events (ticket_id, version, type, actor)
    SELECT $1, version, 'changed', 'test' FROM generate_series(2, $2) AS version
"""


@pytest.fixture(scope="module")
async def feed(
    migrated_database: NewDatabase, redis_address: tuple[str, int], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Feed]:
    log = tmp_path_factory.mktemp("feed") / "log"
    limits = {"REQUEST_TIMEOUT": str(REQUEST_TIMEOUT_S)}
    async with serving_feed(migrated_database, redis_address, log, **limits) as serving:
        yield serving


async def test_a_key_that_is_revoked_later_ends_its_stream(feed: Feed) -> None:
    key = (await feed.admin.post("/keys", json={"name": secrets.token_hex(6), "role": "agent"})).json()
    headers = {"Authorization": f"Bearer {key['secret']}"}
    async with streaming(feed.admin, "/events?after=now", **headers) as frames:
        await frames.frame()
        await asyncio.sleep(3 * REQUEST_TIMEOUT_S)
        assert (await feed.admin.delete(f"/keys/{key['id']}")).status_code == 200
        async with asyncio.timeout(10):
            async for _ in frames.lines:
                pass


async def test_a_stream_catches_up_for_longer(feed: Feed) -> None:
    ticket_id = int((await feed.opened()).rpartition("/")[2])
    sql = await asyncpg.connect(feed.process.environment["DATABASE_DSN"].replace("+asyncpg", ""))
    await sql.execute(WRITE_EVENTS, ticket_id, EVENTS)
    await sql.close()
    async with streaming(feed.admin, f"/tickets/{ticket_id}/events?after=start") as frames:
        versions = [(await frames.event())[1]["ticketversion"]]
        await asyncio.sleep(1.5 * REQUEST_TIMEOUT_S)
        while versions[-1] < EVENTS:
            versions.append((await frames.event())[1]["ticketversion"])
    assert versions == list(range(1, EVENTS + 1))


async def test_a_long_poll_waits_for_longer(feed: Feed) -> None:
    polling = asyncio.create_task(feed.admin.get("/events?after=now&wait=10"))
    await asyncio.sleep(2 * REQUEST_TIMEOUT_S)
    await feed.opened()
    response: httpx2.Response = await polling
    assert (response.status_code, len(response.json()["items"])) == (200, 1)
