"""A PostgreSQL that is restarted, replaced by its standby, or gone without a word, under load."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx2
import pytest

from db.embedded import EmbeddedPostgres
from operation.instances import Instance, started
from operation.load import Load, lost, under_load
from operation.standby import Standby
from support.factories import new_database
from support.tcp_proxy import way_to

HEALTHY_WITHIN_S = 10
REQUEST_TIMEOUT_S = 2
# What ends at its deadline still has to be told.
TOLD_WITHIN_S = REQUEST_TIMEOUT_S + 1


@pytest.fixture
def primary(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(server_folder / "primary")
    postgres.start()
    yield postgres
    postgres.stop()


@pytest.fixture
def standby(server_folder: Path, primary: EmbeddedPostgres) -> Iterator[Standby]:
    standby = Standby(server_folder / "standby", primary)
    standby.start()
    yield standby
    standby.stop()


async def test_a_restart_loses_nothing_that_was_acknowledged(
    primary: EmbeddedPostgres, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    async with started(tmp_path / "log", primary.dsn, redis_address) as instance, under_load(instance.url) as load:
        await asyncio.to_thread(primary.stop)
        await asyncio.to_thread(primary.start)
        took_s = await load.success(HEALTHY_WITHIN_S)
        assert await instance.ask("/readyz") == 200
        await asyncio.sleep(0.5)
    tell("restart", load, took_s)
    assert await lost(primary.dsn, load) == []
    only_503(load)


async def test_the_standby_takes_over_without_a_restart_of_the_service(
    primary: EmbeddedPostgres, standby: Standby, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    await wait_for_standby(primary)
    user, _, rest = primary.dsn.partition("@")
    _, _, database = rest.partition("/")
    dsn = f"{user}@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/{database}"
    async with started(tmp_path / "log", dsn, redis_address) as instance, under_load(instance.url) as load:
        await asyncio.sleep(0.5)
        primary.kill()
        killed_at = time.monotonic()
        async with asyncio.timeout(HEALTHY_WITHIN_S):
            while await instance.ask("/readyz") != 503:
                await asyncio.sleep(0.02)
        await asyncio.to_thread(standby.promote)
        took_s = await load.success(HEALTHY_WITHIN_S)
        whole_s = time.monotonic() - killed_at
        assert await instance.ask("/readyz") == 200
        await asyncio.sleep(0.5)
    tell(f"failover, {whole_s:.2f} s after the primary's death", load, took_s)
    assert whole_s < HEALTHY_WITHIN_S
    assert await lost(standby.dsn, load) == []
    only_503(load)


async def test_a_black_hole_costs_no_request_more_than_its_deadline(
    postgres_dsn: str, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    settings = {"REQUEST_TIMEOUT": str(REQUEST_TIMEOUT_S)}
    async with new_database(postgres_dsn) as own, way_to(own) as (way, dsn):
        async with (
            started(tmp_path / "log", dsn, redis_address, **settings) as instance,
            under_load(instance.url) as load,
        ):
            way.swallow()
            load.longest_s = 0
            assert await slow_readiness(instance) == 503
            assert await instance.ask("/livez") == 200
            await asyncio.sleep(TOLD_WITHIN_S)
            assert load.longest_s < TOLD_WITHIN_S
            assert load.failures
            way.open()
            took_s = await load.success(HEALTHY_WITHIN_S)
            assert await instance.ask("/readyz") == 200
            await asyncio.sleep(0.5)
        tell(f"black hole, no request took longer than {load.longest_s:.2f} s", load, took_s)
        assert await lost(own, load) == []
        only_503(load)


async def slow_readiness(instance: Instance) -> int:
    """Return the status of a readiness that must not take long whatever it asks."""
    began_at = time.monotonic()
    async with httpx2.AsyncClient(base_url=instance.url, timeout=10) as client:
        answer = await client.get("/readyz")
    assert answer.json()["database"] == "unavailable"
    assert time.monotonic() - began_at < 3
    return answer.status_code


async def wait_for_standby(primary: EmbeddedPostgres) -> None:
    """Make the primary acknowledge nothing that its standby does not have."""
    connection = await asyncpg.connect(primary.dsn)
    await connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    await connection.execute("SELECT pg_reload_conf()")
    async with asyncio.timeout(HEALTHY_WITHIN_S):
        while await connection.fetchval("SELECT sync_state FROM pg_stat_replication") != "sync":
            await asyncio.sleep(0.05)
    await connection.close()


def only_503(load: Load) -> None:
    """Fail if a client saw anything but what was hoped for, a 503, or that its request is still being carried out."""
    unexpected = [failure for failure in load.failures if not failure.partition(": ")[2].startswith(("503 ", "409 "))]
    assert not unexpected


def tell(what: str, load: Load, took_s: float) -> None:
    done = len(load.acknowledged)
    print(f"\n{what}: healthy after {took_s:.2f} s; {done} writes acknowledged, {dict(load.answers)}")  # noqa: T201
