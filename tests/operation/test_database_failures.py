"""PostgreSQL restarts, fails over to its standby or becomes unreachable, under load."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx2
import pytest

from db.embedded import EmbeddedPostgres
from operation.load import Load, lost, under_load
from operation.standby import Standby
from support.factories import new_database, settings_for
from support.servers import running_server
from support.service_process import ServiceProcess
from support.tcp_proxy import tcp_proxy

RECOVERY_TIMEOUT_S = 10
REQUEST_TIMEOUT_S = 1
# The response to a request that ends at its deadline still has to arrive.
RESPONSE_TIMEOUT_S = REQUEST_TIMEOUT_S + 1


@pytest.fixture
def primary(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    with running_server(EmbeddedPostgres(server_folder / "primary")) as primary:
        yield primary


@pytest.fixture
def standby(server_folder: Path, primary: EmbeddedPostgres) -> Iterator[Standby]:
    with running_server(Standby(server_folder / "standby", primary)) as standby:
        yield standby


async def test_a_restart_of_postgresql_loses_no_acknowledged_write(
    primary: EmbeddedPostgres, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    async with (
        ServiceProcess(tmp_path / "log", settings_for(primary.dsn, *redis_address)) as service,
        under_load(service.url) as load,
    ):
        await asyncio.to_thread(primary.stop)
        await asyncio.to_thread(primary.start)
        recovery_s = await load.success(RECOVERY_TIMEOUT_S)
        assert await asyncio.to_thread(service.status, "/readyz") == 200
        await asyncio.sleep(0.5)
    report("restart", load, recovery_s)
    assert await lost(primary.dsn, load) == []
    assert_only_503(load)


async def test_the_service_uses_a_promoted_standby_without_a_restart(
    primary: EmbeddedPostgres, standby: Standby, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    await wait_for_standby(primary)
    user, _, rest = primary.dsn.partition("@")
    _, _, database = rest.partition("/")
    dsn = f"{user}@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/{database}"
    settings = settings_for(primary.dsn, *redis_address)
    async with ServiceProcess(tmp_path / "log", settings, DATABASE_DSN=dsn) as service, under_load(service.url) as load:
        await asyncio.sleep(0.5)
        primary.kill()
        killed_at = time.monotonic()
        async with asyncio.timeout(RECOVERY_TIMEOUT_S):
            while await asyncio.to_thread(service.status, "/readyz") != 503:
                await asyncio.sleep(0.02)
        await asyncio.to_thread(standby.promote)
        recovery_s = await load.success(RECOVERY_TIMEOUT_S)
        failover_s = time.monotonic() - killed_at
        assert await asyncio.to_thread(service.status, "/readyz") == 200
        await asyncio.sleep(0.5)
    report(f"failover, {failover_s:.2f} s after the end of the primary", load, recovery_s)
    assert failover_s < RECOVERY_TIMEOUT_S
    assert await lost(standby.dsn, load) == []
    assert_only_503(load)


async def test_an_unreachable_database_delays_no_request_beyond_its_deadline(
    postgres_dsn: str, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    settings = {"REQUEST_TIMEOUT": str(REQUEST_TIMEOUT_S)}
    async with new_database(postgres_dsn) as own, tcp_proxy(own) as (proxy, dsn):
        async with (
            ServiceProcess(tmp_path / "log", settings_for(dsn, *redis_address), **settings) as service,
            under_load(service.url) as load,
        ):
            proxy.pause()
            load.longest_s = 0
            assert await readiness_status(service) == 503
            assert await asyncio.to_thread(service.status, "/livez") == 200
            await asyncio.sleep(RESPONSE_TIMEOUT_S)
            assert load.longest_s < RESPONSE_TIMEOUT_S
            assert load.failures
            proxy.resume()
            recovery_s = await load.success(RECOVERY_TIMEOUT_S)
            assert await asyncio.to_thread(service.status, "/readyz") == 200
            await asyncio.sleep(0.5)
        report(f"no route, the slowest request took {load.longest_s:.2f} s", load, recovery_s)
        assert await lost(own, load) == []
        assert_only_503(load)


async def readiness_status(service: ServiceProcess) -> int:
    """Return the status of /readyz, which must respond quickly although the database does not."""
    began_at = time.monotonic()
    async with httpx2.AsyncClient(base_url=service.url, timeout=10) as client:
        response = await client.get("/readyz")
    assert response.json()["database"] == "unavailable"
    assert time.monotonic() - began_at < 3
    return response.status_code


async def wait_for_standby(primary: EmbeddedPostgres) -> None:
    """Return when the primary acknowledges only what its standby has."""
    connection = await asyncpg.connect(primary.dsn)
    await connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    await connection.execute("SELECT pg_reload_conf()")
    async with asyncio.timeout(RECOVERY_TIMEOUT_S):
        while await connection.fetchval("SELECT sync_state FROM pg_stat_replication") != "sync":
            await asyncio.sleep(0.05)
    await connection.close()


def assert_only_503(load: Load) -> None:
    """Check that the only failures are 503, and 409 for a request that is still in progress."""
    unexpected = [failure for failure in load.failures if not failure.partition(": ")[2].startswith(("503 ", "409 "))]
    assert not unexpected


def report(event: str, load: Load, recovery_s: float) -> None:
    writes = len(load.acknowledged)
    print(f"\n{event}: recovered after {recovery_s:.2f} s; {writes} writes acknowledged, {dict(load.responses)}")  # noqa: T201
