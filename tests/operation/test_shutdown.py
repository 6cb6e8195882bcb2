"""How an instance ends: announced, in its own time, and with status 0."""

import asyncio
import signal
import time
from pathlib import Path

import asyncpg
import httpx2
import psutil
import pytest

from operation.instances import started
from support.factories import FAULT, a_ticket, open_ticket

DELAY_S = 1.0
# ShutdownState takes uvicorn up to half a second, and its workers' parent as long again.
SOON_S = 4


async def test_it_serves_on_after_sigterm_and_says_that_it_stops(
    database_dsn: str, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    async with started(tmp_path / "log", database_dsn, redis_address, SHUTDOWN_DELAY=str(DELAY_S)) as instance:
        async with httpx2.AsyncClient(base_url=instance.url) as client:
            assert "Connection" not in (await client.post("/tickets", json=a_ticket())).headers
            told_at = time.monotonic()
            instance.tell(signal.SIGTERM)
            async with asyncio.timeout(DELAY_S):
                while (readiness := await client.get("/readyz")).status_code == 200:
                    await asyncio.sleep(0.01)
            assert readiness.json() == {
                "ready": False,
                "stopping": True,
                "database": "ok",
                "migrations": "ok",
                "cache": "ok",
                "background": "ok",
                "failing_work": [],
            }
            answer = await client.post("/tickets", json=a_ticket())
            assert (answer.status_code, answer.headers["Connection"]) == (201, "close")
            assert (await client.get("/livez")).status_code == 200
            assert time.monotonic() - told_at < DELAY_S
        assert await instance.ended() == 0
        assert time.monotonic() - told_at >= DELAY_S
    assert not FAULT.search(instance.said)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_second_signal_ends_the_delay(
    database_dsn: str, redis_address: tuple[str, int], tmp_path: Path, workers: str
) -> None:
    settings = {"SHUTDOWN_DELAY": "60", "WORKERS": workers}
    async with started(tmp_path / "log", database_dsn, redis_address, **settings) as instance:
        family = psutil.Process(instance.process.pid).children(recursive=True)
        instance.tell(signal.SIGTERM)
        await asyncio.sleep(1)
        assert instance.process.returncode is None
        instance.tell(signal.SIGTERM)
        told_at = time.monotonic()
        assert await instance.ended() == 0
        assert time.monotonic() - told_at < SOON_S
        assert not psutil.wait_procs(family, timeout=SOON_S)[1]
    assert not FAULT.search(instance.said)


async def test_what_is_in_flight_is_finished(database_dsn: str, redis_address: tuple[str, int], tmp_path: Path) -> None:
    """A change that waits for a lock when the workers are told to stop is made all the same."""
    async with started(tmp_path / "log", database_dsn, redis_address, WORKERS="2") as instance:
        async with httpx2.AsyncClient(base_url=instance.url, timeout=10) as client:
            ticket = await open_ticket(client)
            holder = await asyncpg.connect(database_dsn)
            async with holder.transaction():
                await holder.execute("SELECT FROM tickets WHERE id = $1 FOR UPDATE", ticket["id"])
                change = asyncio.create_task(client.patch(f"/tickets/{ticket['id']}", json={"status": "closed"}))
                await until_waiting(holder)
                instance.tell(signal.SIGTERM)
                await asyncio.sleep(1)
                assert not change.done()
            await holder.close()
            answer = await change
            assert (answer.status_code, answer.json()["status"]) == (200, "closed")
        assert await instance.ended() == 0


async def until_waiting(connection: asyncpg.Connection) -> None:
    async with asyncio.timeout(5):
        while not await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
            await asyncio.sleep(0.01)
