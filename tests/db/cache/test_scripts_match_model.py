"""The scripts change every state of a ticket's key, and of its fence, as the model does."""

from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import pytest

from core.settings import Settings
from db.cache.scripts import FILL, INVALIDATE, INVALIDATE_BEFORE, LEASE, RELEASE, RENEW, Script
from db.redis.client import Client
from support.factories import patient_client, settings_for

from .cache_cases import REAL
from .cache_state import CURRENT, GONE, NO_EPOCH, NO_LEASE, Fence, Key
from .redis_steps import fill, invalidate, invalidate_first, release_lease, renew, take_lease

LEASES = [(NO_LEASE, False), (1, True), (1, False), (2, True), (2, False)]
BODIES = [("", NO_EPOCH), *product(("1", "2"), (CURRENT, GONE))]
KEYS = [
    Key(version, version if schema else 0, schema, epoch, *lease)
    for version, (schema, epoch), lease in product((0, 1, 2, 3), BODIES, LEASES)
    if version or not schema
]
FENCES = [None, Fence()]

READ_FOR_MS = 100  # how long after its reading a renewal may arrive
FENCE_MS = 60_000
FRESH_MS = 40_000


@pytest.fixture
def redis_settings(redis_address: tuple[str, int]) -> Settings:
    return settings_for("postgresql://nobody@127.0.0.1/nothing", *redis_address)


@pytest.fixture
async def redis(redis_settings: Settings) -> AsyncIterator[Client]:
    client = patient_client(redis_settings)
    yield client
    await client.aclose()


@pytest.fixture
def real(redis: Client, redis_settings: Settings) -> "RealKeys":
    return RealKeys(redis, redis_settings.redis_prefix)


class RealKeys:
    """The keys in Redis that a key and a fence of the model represent; an epoch is its number as text."""

    def __init__(self, client: Client, prefix: str) -> None:
        self.client = client
        self.ticket = f"{prefix}ticket:{{model}}"
        self.fence = f"{prefix}fence:{{model}}"

    async def put(self, key: Key, fence: Fence | None = None) -> None:
        """Set the hash to the state of `key`, and the fence to that of `fence`."""
        fields: list[str | int] = []
        if key.version:
            fields += ["v", key.version]
        if key.body:
            fields += ["b", "body", "s", key.schema, "e", key.epoch]
        if key.lease:
            fields += ["l", key.lease, "x", 2**52 if key.is_live else 1]
        await self.client.delete(self.ticket)
        await self.put_fence(fence, FENCE_MS)
        if fields:
            await self.client.hset(self.ticket, items=fields)

    async def put_fence(self, fence: Fence | None, left_ms: int) -> None:
        await self.client.delete(self.fence)
        if fence is not None:
            await self.client.set(self.fence, fence.epoch, px=left_ms)

    async def run(self, script: Script, *arguments: str | int) -> Any:
        """Return the result of a script on the hash."""
        return await self.client.eval(script.source, 1, self.ticket, *arguments)

    async def take_lease(self, release: str, lease: int) -> Any:
        return await self.client.eval(LEASE.source, 2, self.ticket, self.fence, release, lease, 5_000, "b")

    async def renew(self, read_at_ms: int, new_epoch: str) -> Any:
        return await self.client.eval(
            RENEW.source, 1, self.fence, read_at_ms, READ_FOR_MS, FENCE_MS, FRESH_MS, new_epoch
        )

    async def key(self) -> Key:
        """Return the state of the hash as a key of the model."""
        fields = ["v", "b", "s", "e", "l", "x"]
        version, body, schema, epoch, lease, ends_at = await self.client.hmget(self.ticket, fields)
        assert (body is None) == (schema is None) == (epoch is None)
        number = int(version or 0)
        release = f"{int(schema)}" if schema else ""
        is_live = int(ends_at or 0) > 1
        return Key(number, number if body else 0, release, int(epoch or NO_EPOCH), int(lease or NO_LEASE), is_live)

    async def epoch(self) -> int:
        """Return the value of the fence, or NO_EPOCH without one."""
        return int(await self.client.get(self.fence) or NO_EPOCH)

    async def now_ms(self) -> int:
        """Return the clock of the node that has the keys."""
        clock = "local clock = redis.call('TIME') return clock[1] * 1000 + math.floor(clock[2] / 1000)"
        return int(await self.client.eval(clock, 1, self.fence))


@pytest.mark.parametrize("fence", FENCES, ids=["no fence", "a fence"])
async def test_lease(real: RealKeys, fence: Fence | None) -> None:
    for key in KEYS:
        await real.put(key, fence)
        reply, *values = await real.take_lease("1", 1)
        expected, leased = take_lease(REAL, key, fence, 1, "1")
        version = b"%d" % key.version if key.version else b""
        epoch = b"%d" % fence.epoch if fence else b""
        assert reply.decode() == expected
        assert await real.key() == leased
        assert (
            values
            == {
                "hit": [version, b"body"],
                "wait": [version, b"%d" % key.lease, epoch],
                "unfenced": [version],
                "lease": [version, epoch],
            }[expected]
        )


async def test_fill(real: RealKeys) -> None:
    for key, version in product(KEYS, (1, 2)):
        await real.put(key)
        filled, is_stored = fill(REAL, key, 1, version, "1", CURRENT)
        assert await real.run(FILL, "1", 1, version, "body", "public body", CURRENT, 60_000) == is_stored
        assert await real.key() == filled


async def test_invalidate_before_the_commit(real: RealKeys) -> None:
    for key, number in product(KEYS, (1, 2, 3)):
        await real.put(key)
        await real.run(INVALIDATE_BEFORE, number, 30_000)
        assert await real.key() == invalidate_first(REAL, key, number)


async def test_invalidate_after_the_commit(real: RealKeys) -> None:
    for key, number in product(KEYS, (1, 2, 3)):
        await real.put(key)
        await real.run(INVALIDATE, number, 30_000)
        assert await real.key() == invalidate(REAL, key, number)


async def test_release(real: RealKeys) -> None:
    for key in KEYS:
        await real.put(key)
        await real.run(RELEASE, 1)
        assert await real.key() == release_lease(key, 1)


@pytest.mark.parametrize(("left_ms", "result"), [(FRESH_MS // 2, 1), (FENCE_MS - 1_000, 2)], ids=["old", "fresh"])
@pytest.mark.parametrize("fence", FENCES, ids=["no fence", "a fence"])
async def test_renew_in_the_window(real: RealKeys, fence: Fence | None, left_ms: int, result: int) -> None:
    await real.put_fence(fence, left_ms)
    renewed = renew(fence, 0)
    assert await real.renew(await real.now_ms(), f"{renewed.epoch}") == (result if fence else 1)
    assert await real.epoch() == renewed.epoch
    assert await real.client.pttl(real.fence) > FRESH_MS


async def test_a_fence_that_is_made_again_has_the_new_epoch(real: RealKeys) -> None:
    for fence, epoch in ((Fence(), CURRENT), (None, GONE)):
        await real.put_fence(fence, FRESH_MS // 2)
        assert await real.renew(await real.now_ms(), f"{GONE}") == 1
        assert await real.epoch() == epoch


@pytest.mark.parametrize("late_ms", [READ_FOR_MS + 1, 60_000, -5_000], ids=["late", "later", "before its reading"])
@pytest.mark.parametrize("fence", FENCES, ids=["no fence", "a fence"])
async def test_a_renewal_outside_of_the_window_is_void(real: RealKeys, fence: Fence | None, late_ms: int) -> None:
    await real.put_fence(fence, FRESH_MS // 2)
    assert await real.renew(await real.now_ms() - late_ms, f"{GONE}") == 0
    assert await real.epoch() == (fence.epoch if fence else NO_EPOCH)
    assert await real.client.pttl(real.fence) <= FRESH_MS // 2
