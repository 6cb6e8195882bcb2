"""The cache on a real cluster: what it stores, and above all what it refuses to."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from core.settings import Settings
from db.cache import CacheOutcome, Stored, TicketCache
from db.redis import connect
from world import a_comment, cache_of, open_ticket, settings_for


@pytest.fixture
def cache_settings(redis_address: tuple[str, int]) -> Settings:
    return settings_for("postgresql://nobody@127.0.0.1/nothing", *redis_address)


@pytest.fixture
async def cache(cache_settings: Settings) -> AsyncIterator[TicketCache]:
    async with cache_of(cache_settings) as cache:
        yield cache


@pytest.fixture
async def other(cache_settings: Settings) -> AsyncIterator[TicketCache]:
    """The same cache as another process has it."""
    async with cache_of(cache_settings) as cache:
        yield cache


class Loader:
    """Stands for PostgreSQL: brings one version, counts how often it was asked, and may do something meanwhile."""

    def __init__(self, version: int) -> None:
        self.stored = Stored(version, b"body %d" % version)
        self.calls = 0

    async def __call__(self) -> Stored:
        self.calls += 1
        return self.stored


async def test_a_miss_loads_and_stores_and_the_next_read_hits(cache: TicketCache) -> None:
    load = Loader(7)
    assert await cache.read_through(1, load) == (load.stored, CacheOutcome.FILLED)
    assert await cache.read_through(1, load) == (load.stored, CacheOutcome.HIT)
    assert load.calls == 1


async def test_a_ticket_overwritten_while_it_was_loaded_is_not_stored(cache: TicketCache) -> None:
    class Overtaken(Loader):
        async def __call__(self) -> Stored:
            await cache.invalidate(1, 8)
            return await super().__call__()

    assert (await cache.read_through(1, Overtaken(7)))[1] is CacheOutcome.NOT_FILLED
    assert await cache.read_through(1, Loader(8)) == (Loader(8).stored, CacheOutcome.FILLED)


async def test_below_the_floor_nothing_is_stored(cache: TicketCache) -> None:
    await cache.invalidate(1, 8)
    assert (await cache.read_through(1, Loader(7)))[1] is CacheOutcome.NOT_FILLED


async def test_an_invalidation_drops_what_is_older_and_keeps_what_is_as_new(cache: TicketCache) -> None:
    await cache.read_through(1, Loader(7))
    await cache.invalidate(1, 7)
    assert (await cache.read_through(1, Loader(7)))[1] is CacheOutcome.HIT
    await cache.invalidate(1, 8)
    assert (await cache.read_through(1, Loader(8)))[1] is CacheOutcome.FILLED


async def test_while_another_process_has_the_lease_a_read_loads_without_storing(
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


async def test_lookups_say_where_they_came_from(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    path = f"/tickets/{ticket['id']}"
    assert (await client.get(path)).headers["Cache-Status"] == "tickets; fwd=miss; stored"
    assert (await client.get(path)).headers["Cache-Status"] == "tickets; hit"
    past = await client.get(path, headers={"Cache-Control": "no-cache"})
    assert past.headers["Cache-Status"] == "tickets; fwd=bypass"


async def test_a_change_is_seen_by_the_next_lookup(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    path = f"/tickets/{ticket['id']}"
    for number in range(1, 20):
        await client.get(path)
        await client.post(f"{path}/comments", json=a_comment(text=str(number)))
        assert (await client.get(path)).json()["comment_count"] == number


async def test_keys_carry_the_prefix(settings: Settings, client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    await client.get(f"/tickets/{ticket['id']}")
    redis = connect(settings)
    try:
        assert await redis.exists(f"{settings.redis_prefix}ticket:{{{ticket['id']}}}")
    finally:
        await redis.aclose()
