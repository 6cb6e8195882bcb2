"""The graceful shutdown: readiness fails first, requests in flight finish, the exit status is 0."""

import asyncio
import signal
import time
from pathlib import Path

import asyncpg
import httpx2
import psutil
import pytest

from core.settings import Settings
from support.factories import FAULT, a_ticket, open_ticket
from support.service_process import ServiceProcess

DELAY_S = 1.0
# uvicorn notices a signal within half a second, and the parent of its workers needs as long again.
SHUTDOWN_TIMEOUT_S = 4


async def test_after_sigterm_it_still_serves_and_reports_that_it_stops(settings: Settings, tmp_path: Path) -> None:
    async with ServiceProcess(tmp_path / "log", settings, SHUTDOWN_DELAY=str(DELAY_S)) as service:
        async with httpx2.AsyncClient(base_url=service.url) as client:
            assert "Connection" not in (await client.post("/tickets", json=a_ticket())).headers
            signalled_at = time.monotonic()
            service.send_signal(signal.SIGTERM)
            async with asyncio.timeout(DELAY_S):
                while (readiness := await client.get("/readyz")).status_code == 200:
                    await asyncio.sleep(0.01)
            assert readiness.json() == {
                "ready": False,
                "stopping": True,
                "background": "ok",
                "failing_work": [],
                "database": "ok",
                "migrations": "ok",
                "cache": "ok",
            }
            response = await client.post("/tickets", json=a_ticket())
            assert (response.status_code, response.headers["Connection"]) == (201, "close")
            assert (await client.get("/livez")).status_code == 200
            assert time.monotonic() - signalled_at < DELAY_S
        assert await asyncio.to_thread(service.wait) == 0
        assert time.monotonic() - signalled_at >= DELAY_S
    assert not FAULT.search(service.output)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_second_signal_ends_the_delay(settings: Settings, tmp_path: Path, workers: str) -> None:
    configured = {"SHUTDOWN_DELAY": "60", "WORKERS": workers}
    async with ServiceProcess(tmp_path / "log", settings, **configured) as service:
        family = psutil.Process(service.process.pid).children(recursive=True)
        service.send_signal(signal.SIGTERM)
        await asyncio.sleep(1)
        assert service.is_running
        service.send_signal(signal.SIGTERM)
        signalled_at = time.monotonic()
        assert await asyncio.to_thread(service.wait) == 0
        assert time.monotonic() - signalled_at < SHUTDOWN_TIMEOUT_S
        assert not psutil.wait_procs(family, timeout=SHUTDOWN_TIMEOUT_S)[1]
    assert not FAULT.search(service.output)


async def test_a_request_in_flight_is_finished(settings: Settings, database_dsn: str, tmp_path: Path) -> None:
    """A change that waits for a lock when the workers get SIGTERM is made."""
    async with ServiceProcess(tmp_path / "log", settings, WORKERS="2") as service:
        async with httpx2.AsyncClient(base_url=service.url, timeout=10) as client:
            ticket = await open_ticket(client)
            holder = await asyncpg.connect(database_dsn)
            async with holder.transaction():
                await holder.execute("SELECT FROM tickets WHERE id = $1 FOR UPDATE", ticket["id"])
                change = asyncio.create_task(client.patch(f"/tickets/{ticket['id']}", json={"status": "closed"}))
                await until_waiting(holder)
                service.send_signal(signal.SIGTERM)
                await asyncio.sleep(1)
                assert not change.done()
            await holder.close()
            response = await change
            assert (response.status_code, response.json()["status"]) == (200, "closed")
        assert await asyncio.to_thread(service.wait) == 0


async def until_waiting(connection: asyncpg.Connection) -> None:
    async with asyncio.timeout(5):
        while not await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
            await asyncio.sleep(0.01)
