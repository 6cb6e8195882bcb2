"""The cache while nodes of its cluster are killed, frozen or replaced, move their slots, and restart empty."""

import asyncio
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio.cluster import ClusterNode, RedisCluster

from core.settings import Settings
from db.cache.fence import fence_key, group_of, ticket_key
from db.cache.stored import CacheOutcome
from db.cache.ticket_cache import TicketCache
from db.embedded import EmbeddedValkey
from db.embedded.valkey import ValkeyNode
from db.redis.client import MAX_CONNECTIONS, SOCKET_TIMEOUT_S
from support.factories import Loader, cache_of, settings_for
from support.servers import clusters_started_ahead

TICKETS = range(1, 31)


class Cluster(EmbeddedValkey):
    """Three primaries, to which replicas can be added."""

    def add_replicas(self, folder: Path) -> None:
        primaries = list(self.nodes)
        replicas = [ValkeyNode(folder / f"replica-{number}") for number in range(1, 4)]
        for node in replicas:
            node.start()
            self.nodes.append(node)
            execute(primaries[0], "CLUSTER MEET", "127.0.0.1", node.port, node.bus_port)
        self.wait_until_formed()
        for primary, replica in zip(primaries, replicas, strict=True):
            execute(replica, "CLUSTER REPLICATE", execute(primary, "CLUSTER MYID"))
        for replica in replicas:
            deadline = time.monotonic() + 20
            while "master_link_status:up" not in str(execute(replica, "INFO", "replication", raw=True)):
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def port_of(self, cache: TicketCache, ticket_id: int) -> int:
        node = client_of(cache).get_node_from_key(key_of(cache, ticket_id))
        assert node is not None
        return int(node.port)

    def tickets_on(self, cache: TicketCache, node: ValkeyNode) -> list[int]:
        return [ticket_id for ticket_id in TICKETS if self.port_of(cache, ticket_id) == node.port]


def execute(node: ValkeyNode, *words: object, raw: bool = False) -> object:
    """Execute a command on one node, whatever the state of its cluster is."""
    with node.client() as client:
        if raw:
            client.response_callbacks.clear()
        return client.execute_command(*words)


def client_of(cache: TicketCache) -> RedisCluster:
    client = cache._redis._client  # noqa: SLF001 - leaks are visible nowhere else
    assert isinstance(client, RedisCluster)
    return client


def key_of(cache: TicketCache, ticket_id: int) -> str:
    return ticket_key(cache._prefix, ticket_id)  # noqa: SLF001 - to know which node serves it


def fence_of(cache: TicketCache, ticket_id: int) -> str:
    return fence_key(cache._prefix, group_of(ticket_id))  # noqa: SLF001 - it moves with its tickets


def migrate(source: ValkeyNode, target: ValkeyNode, *keys: str) -> None:
    execute(source, "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)


@pytest.fixture(scope="module")
def new_cluster(server_folder: Path) -> Iterator[Callable[[], Cluster]]:
    with clusters_started_ahead(lambda: Cluster(server_folder / secrets.token_hex(4), nodes=3)) as new_cluster:
        yield new_cluster


@pytest.fixture
def cluster(new_cluster: Callable[[], Cluster]) -> Iterator[Cluster]:
    cluster = new_cluster()
    try:
        yield cluster
    finally:
        for node in cluster.nodes:
            node.signal(signal.SIGCONT)
        cluster.stop()


@pytest.fixture
def settings(cluster: Cluster) -> Settings:
    nodes = ",".join(f"127.0.0.1:{node.port}" for node in cluster.nodes)
    return settings_for("postgresql://nobody@127.0.0.1/nothing", nodes, 6379)


@pytest.fixture
async def cache(settings: Settings) -> AsyncIterator[TicketCache]:
    async with cache_of(settings) as cache:
        yield cache


async def read_all(cache: TicketCache, tickets: list[int] | range = TICKETS) -> dict[int, CacheOutcome]:
    """Read tickets one after the other; each read must return the ticket, whatever Redis does."""
    outcomes = {}
    for ticket_id in tickets:
        stored, outcomes[ticket_id] = await cache.read_through(ticket_id, Loader(1))
        assert stored == Loader(1).stored
    return outcomes


async def outcome_in_time(cache: TicketCache, ticket_id: int, timeout_s: float = 5) -> CacheOutcome:
    """Read a ticket until Redis replies within the timeout, which may need several attempts on a busy machine."""
    async with asyncio.timeout(timeout_s):
        while (outcome := (await read_all(cache, [ticket_id]))[ticket_id]) is CacheOutcome.BYPASSED:
            await asyncio.sleep(0.05)
    return outcome


async def invalidate_in_time(cache: TicketCache, ticket_id: int, version: int, timeout_s: float = 5) -> None:
    """Invalidate a ticket, again if that times out on a busy machine."""
    async with asyncio.timeout(timeout_s):
        while not await cache.invalidate(ticket_id, version):
            await asyncio.sleep(0.02)


async def until_all_hit(cache: TicketCache, timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while set((await read_all(cache)).values()) != {CacheOutcome.HIT}:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_a_failed_node_disables_the_cache_of_its_own_tickets_only(
    cache: TicketCache, cluster: Cluster, fault: signal.Signals
) -> None:
    await until_all_hit(cache)
    failing = cluster.nodes[0]
    affected = cluster.tickets_on(cache, failing)
    failing.signal(fault)
    for _ in range(3):
        outcomes = await read_all(cache)
    assert {ticket_id for ticket_id in TICKETS if outcomes[ticket_id] is not CacheOutcome.HIT} == set(affected)
    assert cache.unresponsive_shards == [f"127.0.0.1:{failing.port}"]
    if fault is signal.SIGSTOP:
        failing.signal(signal.SIGCONT)
        await until_all_hit(cache)
        assert cache.unresponsive_shards == []


async def test_a_promoted_replica_is_used_without_a_restart(
    cache: TicketCache, cluster: Cluster, server_folder: Path
) -> None:
    cluster.add_replicas(server_folder / secrets.token_hex(4))
    await until_all_hit(cache)
    cluster.nodes[0].signal(signal.SIGKILL)
    await until_all_hit(cache)


async def test_slots_can_move_while_tickets_are_read(cache: TicketCache, cluster: Cluster) -> None:
    await until_all_hit(cache)
    source, target, *_ = cluster.nodes
    moving = cluster.tickets_on(cache, source)
    assert moving
    for ticket_id in moving:
        key = key_of(cache, ticket_id)
        slot = execute(source, "CLUSTER KEYSLOT", key)
        execute(target, "CLUSTER SETSLOT", slot, "IMPORTING", execute(source, "CLUSTER MYID"))
        execute(source, "CLUSTER SETSLOT", slot, "MIGRATING", execute(target, "CLUSTER MYID"))
        await read_all(cache, [ticket_id])
        migrate(source, target, key, fence_of(cache, ticket_id))
        assert await outcome_in_time(cache, ticket_id) is CacheOutcome.HIT
        for node in (target, source, cluster.nodes[2]):
            execute(node, "CLUSTER SETSLOT", slot, "NODE", execute(target, "CLUSTER MYID"))
        assert await outcome_in_time(cache, ticket_id) is CacheOutcome.HIT


async def test_an_invalidation_reaches_a_moving_slot_whose_new_node_lacks_the_scripts(
    cache: TicketCache, cluster: Cluster, settings: Settings
) -> None:
    await until_all_hit(cache)
    source, target, *_ = cluster.nodes
    moving = cluster.tickets_on(cache, source)
    assert moving
    async with cache_of(settings) as other:
        for ticket_id in moving:
            key = key_of(cache, ticket_id)
            slot = execute(source, "CLUSTER KEYSLOT", key)
            execute(target, "CLUSTER SETSLOT", slot, "IMPORTING", execute(source, "CLUSTER MYID"))
            execute(source, "CLUSTER SETSLOT", slot, "MIGRATING", execute(target, "CLUSTER MYID"))
            migrate(source, target, key, fence_of(cache, ticket_id))
            execute(target, "SCRIPT FLUSH")
            await invalidate_in_time(cache, ticket_id, 2)  # redirected by ASK
            assert (await other.read_through(ticket_id, Loader(2)))[0] == Loader(2).stored
            for node in (target, source, cluster.nodes[2]):
                execute(node, "CLUSTER SETSLOT", slot, "NODE", execute(target, "CLUSTER MYID"))
            execute(target, "SCRIPT FLUSH")
            await invalidate_in_time(cache, ticket_id, 3)  # redirected by MOVED
            assert (await other.read_through(ticket_id, Loader(3)))[0] == Loader(3).stored


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["down", "frozen"])
async def test_without_any_node_reads_continue_and_the_number_of_connections_is_bounded(
    cache: TicketCache, cluster: Cluster, fault: signal.Signals
) -> None:
    await until_all_hit(cache)
    for node in cluster.nodes:
        node.signal(fault)
    loader = Loader(1)
    for _ in range(3):
        results = await asyncio.gather(*(cache.read_through(ticket_id % 30 + 1, loader) for ticket_id in range(400)))
        assert {outcome for _, outcome in results} == {CacheOutcome.BYPASSED}
    assert len(cache.unresponsive_shards) == 3
    for known in client_of(cache).get_nodes():
        assert len(known._connections) <= MAX_CONNECTIONS  # noqa: SLF001 - leaks are visible nowhere else


async def test_a_cluster_that_restarts_empty_is_filled_again(cache: TicketCache, cluster: Cluster) -> None:
    await until_all_hit(cache)
    for node in cluster.nodes:
        node.signal(signal.SIGKILL)
    await read_all(cache)
    cluster.start()
    cluster.wait_until_formed()
    await until_all_hit(cache)


async def test_cancelled_reads_leak_no_connection(cache: TicketCache) -> None:
    await until_all_hit(cache)
    for round_number in range(40):
        reads = [
            asyncio.create_task(cache.read_through(ticket_id, Loader(1))) for ticket_id in TICKETS for _ in range(3)
        ]
        for _ in range(round_number % 8):
            await asyncio.sleep(0)
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
    await until_all_hit(cache)
    for node in client_of(cache).get_nodes():
        assert len(node._free) == len(node._connections) <= MAX_CONNECTIONS  # noqa: SLF001 - as above
    assert cache._redis._client_permits._value == MAX_CONNECTIONS  # noqa: SLF001 - as above


async def test_the_service_can_start_before_redis(cluster: Cluster, settings: Settings) -> None:
    for node in cluster.nodes:
        node.signal(signal.SIGSTOP)
    async with cache_of(settings) as cache:
        assert set((await read_all(cache)).values()) == {CacheOutcome.BYPASSED}
        for node in cluster.nodes:
            node.signal(signal.SIGCONT)
        await until_all_hit(cache)


async def test_an_event_loop_that_is_blocked_during_close_leaves_no_connection_open(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = asyncio.StreamWriter.close

    def close_and_block(writer: asyncio.StreamWriter) -> None:
        close(writer)
        time.sleep(SOCKET_TIMEOUT_S)

    async with cache_of(settings) as cache:
        await until_all_hit(cache)
        client = client_of(cache)
        nodes = [*client.nodes_manager.startup_nodes.values(), *client.get_nodes()]
        assert any_open(nodes)
        monkeypatch.setattr(asyncio.StreamWriter, "close", close_and_block)
    assert not any_open(nodes)


def any_open(nodes: list[ClusterNode]) -> bool:
    return any(connection.is_connected for node in nodes for connection in node._connections)  # noqa: SLF001 - as above
