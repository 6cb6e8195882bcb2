"""The cache on a real cluster: which bodies it stores, and which it refuses."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from core.settings import Settings
from db.cache.fence import ticket_key
from db.cache.stored import CacheOutcome, Stored
from db.cache.ticket_cache import BODY_MS, TicketCache
from support.factories import Loader, a_comment, cache_of, open_ticket, patient_client, settings_for


@pytest.fixture
def cache_settings(redis_address: tuple[str, int]) -> Settings:
    return settings_for("postgresql://nobody@127.0.0.1/nothing", *redis_address)


@pytest.fixture
async def cache(cache_settings: Settings) -> AsyncIterator[TicketCache]:
    async with cache_of(cache_settings) as cache:
        yield cache


@pytest.fixture
async def other(cache_settings: Settings) -> AsyncIterator[TicketCache]:
    """The cache of another process on the same Redis."""
    async with cache_of(cache_settings) as cache:
        yield cache


async def test_a_miss_loads_and_fills_and_the_next_read_hits(cache: TicketCache) -> None:
    load = Loader(7)
    assert await cache.read_through(1, load) == (load.stored, CacheOutcome.FILLED)
    assert await cache.read_through(1, load) == (load.stored, CacheOutcome.HIT)
    assert load.calls == 1


async def test_a_ticket_overwritten_during_its_load_is_not_stored(cache: TicketCache) -> None:
    class Overwritten(Loader):
        async def __call__(self) -> Stored:
            await cache.invalidate(1, 8)
            return await super().__call__()

    assert (await cache.read_through(1, Overwritten(7)))[1] is CacheOutcome.NOT_FILLED
    assert await cache.read_through(1, Loader(8)) == (Loader(8).stored, CacheOutcome.FILLED)


async def test_a_version_below_the_floor_is_not_stored(cache: TicketCache) -> None:
    await cache.invalidate(1, 8)
    assert (await cache.read_through(1, Loader(7)))[1] is CacheOutcome.NOT_FILLED


async def test_an_invalidation_drops_an_older_body_and_keeps_one_of_the_same_version(cache: TicketCache) -> None:
    await cache.read_through(1, Loader(7))
    await cache.invalidate(1, 7)
    assert (await cache.read_through(1, Loader(7)))[1] is CacheOutcome.HIT
    await cache.invalidate(1, 8)
    assert (await cache.read_through(1, Loader(8)))[1] is CacheOutcome.FILLED


async def test_while_another_process_has_the_lease_a_read_loads_without_a_fill(
    cache: TicketCache, other: TicketCache
) -> None:
    class Slow(Loader):
        async def __call__(self) -> Stored:
            self.meanwhile = await other.read_through(1, Loader(7))
            return await super().__call__()

    slow = Slow(7)
    assert (await cache.read_through(1, slow))[1] is CacheOutcome.FILLED
    assert slow.meanwhile == (Loader(7).stored, CacheOutcome.NOT_FILLED)
    assert other.counters.waits == 1


async def test_a_failed_load_stores_nothing(cache: TicketCache) -> None:
    class Failing(Loader):
        async def __call__(self) -> Stored:
            raise LookupError

    with pytest.raises(LookupError):
        await cache.read_through(1, Failing(1))
    await cache.invalidate(1, 1)
    assert (await cache.read_through(1, Loader(1)))[1] is CacheOutcome.FILLED


async def test_concurrent_reads_of_one_ticket_share_one_load(cache: TicketCache) -> None:
    class Slow(Loader):
        async def __call__(self) -> Stored:
            await asyncio.sleep(0.1)
            return await super().__call__()

    slow = Slow(7)
    results = await asyncio.gather(*(cache.read_through(1, slow) for _ in range(10)))
    assert [outcome for _, outcome in results].count(CacheOutcome.FILLED) == 1
    assert {stored for stored, _ in results} == {slow.stored}
    assert slow.calls == 1
    assert cache.counters.shared == 9


async def test_a_shared_load_continues_when_the_request_that_started_it_is_cancelled(cache: TicketCache) -> None:
    started, may_continue = asyncio.Event(), asyncio.Event()

    class Waiting(Loader):
        async def __call__(self) -> Stored:
            started.set()
            await may_continue.wait()
            return await super().__call__()

    waiting = Waiting(7)
    leader = asyncio.create_task(cache.read_through(1, waiting))
    await started.wait()
    follower = asyncio.create_task(cache.read_through(1, waiting))
    await asyncio.sleep(0.02)
    leader.cancel()
    may_continue.set()
    assert await follower == (waiting.stored, CacheOutcome.SHARED)
    assert waiting.calls == 1


async def test_a_failed_load_is_not_shared(cache: TicketCache) -> None:
    started, may_continue = asyncio.Event(), asyncio.Event()

    class Missing(Loader):
        async def __call__(self) -> Stored:
            started.set()
            await may_continue.wait()
            raise LookupError

    leader = asyncio.create_task(cache.read_through(1, Missing(1)))
    await started.wait()
    follower = asyncio.create_task(cache.read_through(1, Loader(1)))
    await asyncio.sleep(0.02)
    may_continue.set()
    with pytest.raises(LookupError):
        await leader
    assert (await follower)[0] == Loader(1).stored


async def test_a_failed_load_releases_the_lease(cache: TicketCache, other: TicketCache) -> None:
    class Missing(Loader):
        async def __call__(self) -> Stored:
            raise LookupError

    with pytest.raises(LookupError):
        await cache.read_through(1, Missing(1))
    assert (await other.read_through(1, Loader(1)))[1] is CacheOutcome.FILLED
    assert other.counters.waits == 0


async def test_bodies_of_another_schema_are_not_read(cache: TicketCache, cache_settings: Settings) -> None:
    async with cache_of(cache_settings, schema="newer") as newer:
        await cache.read_through(1, Loader(7))
        assert (await newer.read_through(1, Loader(7)))[1] is CacheOutcome.FILLED
        assert (await newer.read_through(1, Loader(7)))[1] is CacheOutcome.HIT
        assert (await cache.read_through(1, Loader(7)))[1] is CacheOutcome.FILLED
        await cache.invalidate(1, 8)
        assert (await newer.read_through(1, Loader(8)))[1] is CacheOutcome.FILLED


async def test_stored_bodies_expire(cache: TicketCache, cache_settings: Settings) -> None:
    for ticket_id in range(1, 30):
        await cache.read_through(ticket_id, Loader(1))
    redis = patient_client(cache_settings)
    try:
        ttls_ms = [await redis.pttl(ticket_key(cache_settings.redis_prefix, ticket_id)) for ticket_id in range(1, 30)]
    finally:
        await redis.aclose()
    assert all(0 < ttl_ms <= BODY_MS for ttl_ms in ttls_ms)
    assert len(set(ttls_ms)) > 10


async def test_a_lookup_reports_its_source_in_cache_status(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    path = f"/tickets/{ticket['id']}"
    assert (await client.get(path)).headers["Cache-Status"] == "tickets; fwd=miss; stored"
    assert (await client.get(path)).headers["Cache-Status"] == "tickets; hit"
    bypassed = await client.get(path, headers={"Cache-Control": "no-cache"})
    assert bypassed.headers["Cache-Status"] == "tickets; fwd=bypass"


async def test_the_next_lookup_after_a_change_returns_it(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    path = f"/tickets/{ticket['id']}"
    for number in range(1, 20):
        await client.get(path)
        await client.post(f"{path}/comments", json=a_comment(text=str(number)))
        assert (await client.get(path)).json()["comment_count"] == number


async def test_keys_have_the_prefix(settings: Settings, client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    await client.get(f"/tickets/{ticket['id']}")
    redis = patient_client(settings)
    try:
        assert await redis.exists(ticket_key(settings.redis_prefix, ticket["id"]))
    finally:
        await redis.aclose()
