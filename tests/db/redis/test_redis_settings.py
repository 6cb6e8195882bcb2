"""The Redis deployments that the settings support: a single server, a password, TLS, several start nodes."""

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from core.settings import Settings
from db.cache.stored import CacheOutcome
from db.embedded.process import free_port
from db.embedded.valkey import ValkeyNode
from support.factories import Loader, cache_of, settings_for


@pytest.fixture
def server(server_folder: Path) -> Iterator[ValkeyNode]:
    server = ValkeyNode(server_folder / secrets.token_hex(4), is_in_cluster=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def tls_port(server: ValkeyNode, authority: trustme.CA) -> AsyncIterator[int]:
    """A port that accepts TLS and forwards everything to the server, which was built without TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with asyncio.TaskGroup() as group:
            group.create_task(pump(reader, server_writer))
            group.create_task(pump(server_reader, writer))

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while sent := await reader.read(65_536):
            writer.write(sent)
            await writer.drain()
        writer.close()

    listener = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
    yield int(listener.sockets[0].getsockname()[1])
    listener.close()


def single_server(server: ValkeyNode, **others: Any) -> Settings:
    address = ("127.0.0.1", others.pop("redis_port", server.port))
    return settings_for("postgresql://nobody@127.0.0.1/nothing", *address, redis_cluster=False, **others)


async def outcomes(settings: Settings) -> list[CacheOutcome]:
    async with cache_of(settings) as cache:
        return [(await cache.read_through(1, Loader(7)))[1] for _ in range(2)]


CACHED = [CacheOutcome.FILLED, CacheOutcome.HIT]
UNCACHED = [CacheOutcome.BYPASSED, CacheOutcome.BYPASSED]


async def test_a_single_server_works_like_a_cluster(server: ValkeyNode) -> None:
    assert await outcomes(single_server(server)) == CACHED


async def test_a_single_server_is_used_again_after_a_restart(server: ValkeyNode) -> None:
    async with cache_of(single_server(server)) as cache:
        await cache.read_through(1, Loader(7))
        server.stop()
        for _ in range(5):
            assert (await cache.read_through(1, Loader(7)))[1] is CacheOutcome.BYPASSED
        assert cache.unresponsive_shards
        server.start()
        async with asyncio.timeout(20):
            while (await cache.read_through(1, Loader(7)))[1] is not CacheOutcome.HIT:
                await asyncio.sleep(0.05)


async def test_an_acl_user_authenticates_with_its_password(server: ValkeyNode) -> None:
    with server.client() as client:
        client.execute_command("ACL SETUSER", "tickets", "on", ">pass-word", "~*", "+@all")
        client.execute_command("ACL SETUSER", "default", "off")
    assert await outcomes(single_server(server, redis_username="tickets", redis_password="pass-word")) == CACHED
    assert await outcomes(single_server(server, redis_username="tickets", redis_password="wrong")) == UNCACHED
    assert await outcomes(single_server(server)) == UNCACHED


async def test_a_cluster_may_require_a_password(server_folder: Path) -> None:
    node = ValkeyNode(server_folder / secrets.token_hex(4))
    node.start()
    try:
        with node.client() as client:
            client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16_383)
            while client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
                await asyncio.sleep(0.02)
            client.execute_command("CONFIG SET", "requirepass", "pass-word")
        dsn = "postgresql://nobody@127.0.0.1/nothing"
        assert await outcomes(settings_for(dsn, "127.0.0.1", node.port, redis_password="pass-word")) == CACHED
        assert await outcomes(settings_for(dsn, "127.0.0.1", node.port)) == UNCACHED
    finally:
        node.stop()


async def test_tls_accepts_only_a_server_with_a_trusted_certificate(
    server: ValkeyNode, tls_port: int, authority: trustme.CA, tmp_path: Path
) -> None:
    trusted, untrusted = tmp_path / "trusted.pem", tmp_path / "untrusted.pem"
    authority.cert_pem.write_to_path(str(trusted))
    trustme.CA().cert_pem.write_to_path(str(untrusted))
    assert (
        await outcomes(single_server(server, redis_port=tls_port, redis_tls=True, redis_tls_ca_file=trusted)) == CACHED
    )
    assert (
        await outcomes(single_server(server, redis_port=tls_port, redis_tls=True, redis_tls_ca_file=untrusted))
        == UNCACHED
    )


async def test_one_reachable_start_node_of_several_is_enough(redis_address: tuple[str, int]) -> None:
    host, port = redis_address
    nodes = f"127.0.0.1:{free_port()}, {host}:{port}"
    assert await outcomes(settings_for("postgresql://nobody@127.0.0.1/nothing", nodes, 6379)) == CACHED
