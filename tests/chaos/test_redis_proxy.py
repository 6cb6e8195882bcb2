"""The proxies carry every connection of a cluster client, and cut it off completely."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from redis.asyncio.cluster import RedisCluster

from core.settings import Settings
from db.cache.fence import ticket_key
from db.redis.client import connect
from db.redis.guard import CacheUnavailable, GuardedRedis
from models import FENCE_GROUPS
from support.factories import patient_client
from support.redis_proxy import RedisConnections, redis_connections

KEYS = [ticket_key("proxied:", ticket_id) for ticket_id in range(FENCE_GROUPS)]


@pytest.fixture
async def ports(settings: Settings) -> list[int]:
    client = patient_client(settings)
    assert isinstance(client, RedisCluster)
    await client.initialize()
    ports = [int(node.port) for node in client.get_nodes()]
    await client.aclose()
    return ports


@pytest.fixture
async def connections(ports: list[int]) -> AsyncIterator[RedisConnections]:
    async with redis_connections(ports) as connections:
        yield connections


@pytest.fixture
async def redis(settings: Settings, connections: RedisConnections) -> AsyncIterator[GuardedRedis]:
    own = settings.model_copy(update={"redis_host": connections.hosts, "redis_port": connections.port})
    redis = GuardedRedis(connect(own))
    await redis.warm_up()
    yield redis
    connections.resume()
    await redis.close()


async def reached(redis: GuardedRedis) -> int:
    """Return how many of the keys the client can read."""
    replies = await asyncio.gather(*(redis.read(key, "v", timeout_s=0.2) for key in KEYS), return_exceptions=True)
    assert all(isinstance(reply, list | CacheUnavailable) for reply in replies)
    return sum(isinstance(reply, list) for reply in replies)


async def test_every_node_is_known_by_the_port_of_its_proxy(redis: GuardedRedis, ports: list[int]) -> None:
    assert await reached(redis) == len(KEYS)
    addresses = [redis.locate(key)[1] for key in KEYS]
    assert len(set(addresses)) > 1
    assert not {address[1] for address in addresses if address is not None} & set(ports)


@pytest.mark.parametrize(
    "cut",
    [RedisConnections.pause, RedisConnections.pause_replies, RedisConnections.refuse],
    ids=lambda cut: cut.__name__,
)
async def test_a_client_that_is_cut_off_reaches_no_node_until_the_end_of_the_cut(
    redis: GuardedRedis, connections: RedisConnections, cut: Callable[[RedisConnections], None]
) -> None:
    assert await reached(redis) == len(KEYS)
    cut(connections)
    for _ in range(3):
        assert await reached(redis) == 0
        await asyncio.sleep(0.3)  # the breaker probes the nodes, and discovers them again
    connections.resume()
    async with asyncio.timeout(10):
        while await reached(redis) < len(KEYS):
            await asyncio.sleep(0.1)
