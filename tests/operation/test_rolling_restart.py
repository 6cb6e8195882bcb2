"""Instances that are replaced one after the other while clients write and read."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from operation.balancer import CHECK_EVERY_S, FAILURES_TO_FALL, Balancer, balanced
from operation.instances import Instance, started
from operation.load import lost, under_load
from support.factories import new_database

ROUNDS = 2
# A little longer than the balancer takes to notice.
SHUTDOWN_DELAY_S = CHECK_EVERY_S * FAILURES_TO_FALL + 0.4


@pytest.fixture
async def dsn(postgres_dsn: str) -> AsyncIterator[str]:
    async with new_database(postgres_dsn) as dsn:
        yield dsn


async def test_a_rolling_restart_fails_no_request(dsn: str, redis_address: tuple[str, int], tmp_path: Path) -> None:
    delay = {"SHUTDOWN_DELAY": str(SHUTDOWN_DELAY_S)}
    async with (
        started(tmp_path / "one", dsn, redis_address, **delay) as one,
        started(tmp_path / "two", dsn, redis_address, **delay) as two,
        balanced([one.port, two.port]) as (balancer, url),
        under_load(url) as load,
    ):
        for _ in range(ROUNDS):
            for instance in (one, two):
                assert await instance.stop() == 0
                await instance.start()
                await until_up(balancer, instance)
        await asyncio.sleep(0.2)
        tries = dict(balancer.tries)
    counts = f"{sum(load.answers.values())} requests, {len(load.acknowledged)} writes acknowledged"
    print(f"\n{2 * ROUNDS} restarts: {counts}, {tries}, slowest {load.longest_s:.2f} s")  # noqa: T201
    assert load.failures == []
    assert await lost(dsn, load) == []


async def until_up(balancer: Balancer, instance: Instance) -> None:
    (backend,) = [each for each in balancer.backends if each.port == instance.port]
    async with asyncio.timeout(10):
        while not backend.is_up:
            await asyncio.sleep(0.02)
