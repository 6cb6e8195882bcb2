"""Invalidations that failed are stored and retried until Redis responds."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from db.cache import pending_invalidations as module
from db.cache.pending_invalidations import PendingInvalidations


class FakeRedis:
    """Receives invalidations if it responds; a test can act during a delivery by replacing `meanwhile`."""

    def __init__(self) -> None:
        self.responds = False
        self.received: list[tuple[int, int]] = []
        self.pending = PendingInvalidations(self._deliver, lifetime_s=60)

    async def _deliver(self, ticket_id: int, version: int) -> bool:
        await asyncio.sleep(0)
        self.meanwhile()
        if self.responds:
            self.received.append((ticket_id, version))
        return self.responds

    def meanwhile(self) -> None:
        """Do nothing by default."""


@pytest.fixture
async def redis(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeRedis]:
    monkeypatch.setattr(module, "RETRY_INTERVAL_S", 0.01)
    redis = FakeRedis()
    yield redis
    await redis.pending.close()


async def until_received(redis: FakeRedis, expected: list[tuple[int, int]]) -> None:
    async with asyncio.timeout(5):
        while sorted(redis.received) != expected:
            await asyncio.sleep(0.01)


async def test_pending_invalidations_are_delivered_once_redis_responds(redis: FakeRedis) -> None:
    for ticket_id in range(500):
        redis.pending.add(ticket_id, 2)
    await asyncio.sleep(0.05)
    assert 7 in redis.pending
    redis.responds = True
    await until_received(redis, [(ticket_id, 2) for ticket_id in range(500)])
    assert 7 not in redis.pending


async def test_of_two_versions_the_greater_stays_pending(redis: FakeRedis) -> None:
    redis.pending.add(1, 9)
    redis.pending.add(1, 8)
    redis.pending.confirm(1, 8)
    assert 1 in redis.pending
    redis.responds = True
    await until_received(redis, [(1, 9)])


@pytest.mark.parametrize("responds", [True, False])
async def test_an_invalidation_confirmed_during_a_delivery_stops_no_other(redis: FakeRedis, responds: bool) -> None:
    for ticket_id in (1, 2, 3):
        redis.pending.add(ticket_id, 2)
    redis.responds = responds
    redis.meanwhile = lambda: redis.pending.confirm(2, 2)  # type: ignore[method-assign]
    await asyncio.sleep(0.05)
    redis.responds = True
    async with asyncio.timeout(5):
        while 1 in redis.pending or 3 in redis.pending:
            await asyncio.sleep(0.01)


async def test_above_the_maximum_the_oldest_are_dropped(redis: FakeRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PENDING", 3)
    for ticket_id in range(1, 6):
        redis.pending.add(ticket_id, 2)
    assert [ticket_id for ticket_id in range(1, 6) if ticket_id in redis.pending] == [3, 4, 5]


async def test_closing_makes_a_last_attempt(redis: FakeRedis) -> None:
    redis.pending.add(1, 2)
    redis.responds = True
    await redis.pending.close()
    assert redis.received == [(1, 2)]
