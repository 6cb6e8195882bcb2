"""A Redis without cluster mode is detected at the start, although REDIS_CLUSTER is true."""

import asyncio
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import Settings
from db.embedded.valkey import ValkeyNode
from db.redis.cluster_mode import with_detected_mode
from support.factories import open_ticket, running, settings_for

NO_DATABASE = "postgresql://nobody@127.0.0.1/nothing"


@pytest.fixture
def server(server_folder: Path) -> Iterator[ValkeyNode]:
    server = ValkeyNode(server_folder / secrets.token_hex(4), is_in_cluster=False)
    server.start()
    yield server
    server.signal(signal.SIGCONT)
    server.stop()


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "db.redis.cluster_mode"]


async def test_a_service_uses_a_single_server(
    server: ValkeyNode, database_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "db.redis.cluster_mode")
    async with running(settings_for(database_dsn, "127.0.0.1", server.port)) as (_, client):
        path = f"/tickets/{(await open_ticket(client))['id']}"
        lookups = [(await client.get(path)).headers["Cache-Status"] for _ in range(2)]
        assert (await client.get("/readyz")).json()["cache"] == "ok"
    assert [lookup.split("; ")[1] for lookup in lookups] == ["fwd=miss", "hit"]
    assert messages(caplog) == ["Redis has no cluster mode: it is used as a single server, as with REDIS_CLUSTER=false"]


async def test_the_detection_authenticates(server: ValkeyNode) -> None:
    with server.client() as client:
        client.execute_command("ACL SETUSER", "tickets", "on", ">pass-word", "~*", "+@all")
        client.execute_command("ACL SETUSER", "default", "off")
    login = {"redis_username": "tickets", "redis_password": "pass-word"}
    assert not (await with_detected_mode(settings_for(NO_DATABASE, "127.0.0.1", server.port, **login))).redis_cluster


async def test_a_cluster_remains_a_cluster(redis_address: tuple[str, int], caplog: pytest.LogCaptureFixture) -> None:
    settings = settings_for(NO_DATABASE, *redis_address)
    assert await with_detected_mode(settings) is settings
    assert messages(caplog) == []


@pytest.mark.parametrize("signum", [signal.SIGSTOP, signal.SIGKILL])
async def test_a_redis_that_does_not_respond_counts_as_a_cluster_and_the_log_names_the_setting(
    server: ValkeyNode, caplog: pytest.LogCaptureFixture, signum: signal.Signals
) -> None:
    server.signal(signum)
    assert (await detect(server)).redis_cluster
    (message,) = messages(caplog)
    assert "REDIS_CLUSTER=false" in message


async def test_a_short_pause_of_redis_does_not_prevent_the_detection(server: ValkeyNode) -> None:
    server.signal(signal.SIGSTOP)
    asyncio.get_running_loop().call_later(0.4, server.signal, signal.SIGCONT)
    assert not (await detect(server)).redis_cluster


async def detect(server: ValkeyNode) -> Settings:
    async with asyncio.timeout(5):
        return await with_detected_mode(settings_for(NO_DATABASE, "127.0.0.1", server.port))
