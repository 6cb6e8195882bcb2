"""Worker processes publish events and deliver them, for services that serve requests only."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from core.settings import ROOT, Settings
from db.embedded.process import free_port
from support.factories import running, settings_for
from support.service_process import clean_environment
from webhooks.conftest import Hooks
from webhooks.receiver import Delivery, Receiver, Reply

WORKER = (sys.executable, ROOT / "src" / "worker.py")
TIMEOUT_S = 30


@contextmanager
def worker(settings: Settings, log: Path, *command: str | Path, **others: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a worker and yield its process; kill it at the end if it runs."""
    assert settings.database_dsn is not None
    environment = clean_environment(
        DATABASE_DSN=settings.database_dsn.get_secret_value(),
        REDIS_HOST=settings.redis_host or "",
        REDIS_PORT=str(settings.redis_port),
        REDIS_PREFIX=settings.redis_prefix,
        WEBHOOK_ALLOW="127.0.0.0/8, 10.0.0.0/8",
        **others,
    )
    with log.open("ab") as output:
        process = subprocess.Popen(command or WORKER, env=environment, stderr=output, stdout=output, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_a_worker_publishes_and_delivers_and_ends_with_sigterm(
    hooks: Hooks, hooks_settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    await hooks.endpoint(receiver.url)
    with worker(hooks_settings, tmp_path / "log", ROOT / "entrypoint.sh", "worker") as process:
        ticket = await hooks.ticket()
        (delivery,) = await receiver.wait_for(1, TIMEOUT_S)
        assert delivery.id == f"evt_{ticket['id']}_1"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, TIMEOUT_S) == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if line.startswith("{")]
    assert not [line for line in lines if line["level"] in {"warning", "error"}]


async def test_a_worker_serves_its_metrics_at_a_port_of_its_own(
    hooks: Hooks, hooks_settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    await hooks.endpoint(receiver.url)
    port = free_port()
    with worker(hooks_settings, tmp_path / "log", WORKER_METRICS_PORT=str(port)):
        await hooks.ticket()
        await receiver.wait_for(1, TIMEOUT_S)
        async with httpx2.AsyncClient(timeout=TIMEOUT_S) as client, asyncio.timeout(TIMEOUT_S):
            while (
                'tickets_webhook_attempts_total{outcome="delivered"} 1.0'
                not in (await client.get(f"http://127.0.0.1:{port}/metrics")).text
            ):
                await asyncio.sleep(0.05)


async def test_what_a_killed_worker_was_sending_is_sent_by_another_one(
    hooks: Hooks, hooks_settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    killed = asyncio.Event()

    async def hang(_: Delivery) -> Reply:
        return Reply(delay_s=0 if killed.is_set() else 60)

    receiver.behaviour = hang
    with worker(hooks_settings, tmp_path / "log") as first:
        await hooks.ticket()
        await receiver.wait_for(1, TIMEOUT_S)
        first.kill()
        await asyncio.to_thread(first.wait)
    killed.set()
    await hooks.pass_time(41)
    with worker(hooks_settings, tmp_path / "log"):
        await receiver.wait_for(2, TIMEOUT_S)
        assert receiver.ids[0] == receiver.ids[1]
        async with asyncio.timeout(TIMEOUT_S):
            while await hooks.states(endpoint) != ["done"]:
                await asyncio.sleep(0.05)


def test_a_worker_without_a_database_explains_itself() -> None:
    done = subprocess.run(
        WORKER, env=clean_environment(), capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
    assert (done.returncode, done.stderr) == (
        1,
        "tickets: DATABASE_DSN and REDIS_HOST must be set: a worker starts no embedded servers\n",
    )


@pytest.mark.parametrize("work", ["inline", "off"])
async def test_the_serving_process_works_only_inline(
    hooks: Hooks, hooks_settings: Settings, receiver: Receiver, redis_address: tuple[str, int], work: str
) -> None:
    assert hooks_settings.database_dsn is not None
    dsn = hooks_settings.database_dsn.get_secret_value()
    settings = settings_for(dsn, *redis_address, work=work, webhook_allow="127.0.0.0/8")
    endpoint = await hooks.endpoint(receiver.url)
    await hooks.ticket()
    async with running(settings):
        if work == "inline":
            await receiver.wait_for(1)
        else:
            await asyncio.sleep(0.5)
            assert (await hooks.states(endpoint), receiver.deliveries) == ([], [])
