"""The circuit breaker opens after failures in a row, and a background probe closes it again."""

import asyncio

import pytest

from db.redis import breaker as module
from db.redis.breaker import FAILURES_TO_OPEN, Breaker


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_INTERVAL_S", 0.01)
    monkeypatch.setattr(module, "CLOSE_TIMEOUT_S", 0.2)


async def test_it_opens_at_the_third_failure_in_a_row_and_closes_when_the_shard_responds() -> None:
    responds = False

    async def probe(_: str) -> bool:
        return responds

    breaker = Breaker(probe)
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.record_failure("a")
    breaker.record_success("a")
    for _ in range(FAILURES_TO_OPEN):
        assert not breaker.is_open("a")
        breaker.record_failure("a")
    assert breaker.open_shards == ["a"]
    assert not breaker.is_open("b")
    responds = True
    async with asyncio.timeout(5):
        while breaker.is_open("a"):
            await asyncio.sleep(0.01)
    breaker.record_failure("a")
    assert not breaker.is_open("a")
    await breaker.close()


async def test_a_probe_that_swallows_its_cancellation_does_not_delay_closing() -> None:
    async def stubborn(_: str) -> bool:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return False

    breaker = Breaker(stubborn)
    for _ in range(FAILURES_TO_OPEN):
        breaker.record_failure("a")
    await asyncio.sleep(0.03)
    async with asyncio.timeout(2):
        await breaker.close()
    breaker.record_failure("a")
    assert breaker.open_shards == []
