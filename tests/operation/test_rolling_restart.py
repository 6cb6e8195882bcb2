"""A rolling restart of two instances while clients write and read."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from operation.balancer import CHECK_INTERVAL_S, MAX_FAILURES, Balancer, balanced
from operation.load import lost, under_load
from support.factories import new_database, settings_for
from support.service_process import ServiceProcess

ROUNDS = 2
# A little longer than the balancer takes to notice that an service stops.
SHUTDOWN_DELAY_S = CHECK_INTERVAL_S * MAX_FAILURES + 0.4


@pytest.fixture
async def dsn(postgres_dsn: str) -> AsyncIterator[str]:
    async with new_database(postgres_dsn) as dsn:
        yield dsn


async def test_a_rolling_restart_fails_no_request(dsn: str, redis_address: tuple[str, int], tmp_path: Path) -> None:
    delay = {"SHUTDOWN_DELAY": str(SHUTDOWN_DELAY_S)}
    settings = settings_for(dsn, *redis_address)
    async with (
        ServiceProcess(tmp_path / "one", settings, **delay) as one,
        ServiceProcess(tmp_path / "two", settings, **delay) as two,
        balanced([one.port, two.port]) as (balancer, url),
        under_load(url) as load,
    ):
        for _ in range(ROUNDS):
            for service in (one, two):
                assert await asyncio.to_thread(service.stop) == 0
                await asyncio.to_thread(service.start)
                await until_up(balancer, service)
        await asyncio.sleep(0.2)
        attempts = dict(balancer.attempts)
    counts = f"{sum(load.responses.values())} requests, {len(load.acknowledged)} writes acknowledged"
    print(f"\n{2 * ROUNDS} restarts: {counts}, {attempts}, slowest {load.longest_s:.2f} s")  # noqa: T201
    assert load.failures == []
    assert await lost(dsn, load) == []


async def until_up(balancer: Balancer, service: ServiceProcess) -> None:
    (backend,) = [each for each in balancer.backends if each.port == service.port]
    async with asyncio.timeout(10):
        while not backend.is_up:
            await asyncio.sleep(0.02)
