"""The undocumented parts of asyncpg, SQLAlchemy, redis-py and hiredis that `db` uses: one test for each part.

The Pipfile limits these packages to versions that were tested. When an upgrade fails a test here, the message names the
module that uses the part.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import asyncpg
import hiredis
import pytest
from asyncpg.connection import LoggedQuery
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import RedisClusterException, RedisError
from sqlalchemy import make_url
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from core.settings import async_dsn
from db.postgres.session import Session
from db.postgres.statements import Row
from support.factories import patient_client, settings_for

NO_DATABASE = "postgresql://nobody@127.0.0.1/nothing"
SQL = "SELECT 1 AS one"
PREPARED = "SELECT statement FROM pg_prepared_statements"


@pytest.fixture
async def session(postgres_dsn: str) -> AsyncIterator[Any]:
    session: Any = await asyncpg.connect(postgres_dsn, connection_class=Session, record_class=Row)
    yield session
    await session.close()


@pytest.fixture
async def cluster(redis_address: tuple[str, int]) -> AsyncIterator[RedisCluster]:
    client = patient_client(settings_for(NO_DATABASE, *redis_address))
    assert isinstance(client, RedisCluster)
    yield client
    await client.aclose()


async def test_asyncpg_get_statement_prepares_a_statement_and_caches_it(session: Any) -> None:
    used_by = "db.postgres.session.Session.prepare_once"
    assert hasattr(session, "_get_statement"), f"asyncpg.Connection._get_statement is gone; used by {used_by}"
    parameters = list(inspect.signature(session._get_statement).parameters)  # noqa: SLF001 - this is what is tested
    assert parameters[:2] == ["query", "timeout"], f"Connection._get_statement has other parameters; used by {used_by}"
    await session._get_statement(SQL, None)  # noqa: SLF001 - as above
    await session.fetch(SQL)
    prepared = [row[0] for row in await session.fetch(PREPARED)]
    assert prepared.count(SQL) == 1, f"Connection._get_statement no longer caches for `fetch`; used by {used_by}"


async def test_asyncpg_connection_and_record_can_be_subclassed(session: Any) -> None:
    """`connection_class` and `record_class` are documented, the constructor that Session extends is not."""
    assert isinstance(session, Session), "asyncpg ignores connection_class; used by db.postgres.primary"
    assert isinstance(session.connected_at, float), "Connection.__init__ changed; used by db.postgres.session.Session"
    (row,) = await session.fetch(SQL)
    assert (type(row), row.one) == (Row, 1), "asyncpg.Record subclasses changed; used by db.postgres.statements.Row"


async def test_asyncpg_logged_query_has_the_fields_of_a_span(session: Any) -> None:
    used_by = "db.tracing.trace_statements"
    request: ContextVar[str] = ContextVar("request", default="")
    logged: list[tuple[LoggedQuery, str]] = []
    session.add_query_logger(lambda query: logged.append((query, request.get())))
    request.set("this one")
    await session.fetch(SQL)
    await asyncio.sleep(0)
    assert len(logged) == 1, f"asyncpg logs a query more or less than once; used by {used_by}"
    query, context = logged[0]
    assert context == "this one", f"asyncpg calls query loggers in another context; used by {used_by}"
    fields = (query.query, query.exception, query.conn_params.user, isinstance(query.elapsed, float))
    assert fields == (SQL, None, session._params.user, True), f"LoggedQuery changed; used by {used_by}"  # noqa: SLF001
    assert query.conn_params.database, f"LoggedQuery.conn_params changed; used by {used_by}"
    assert len(query.conn_addr) == 2, f"LoggedQuery.conn_addr is no (host, port); used by {used_by}"


async def test_asyncpg_detects_a_connection_that_the_server_closed_without_a_round_trip(
    session: Any, postgres_dsn: str
) -> None:
    other = await asyncpg.connect(postgres_dsn)
    await other.execute("SELECT pg_terminate_backend($1)", session.get_server_pid())
    await other.close()
    async with asyncio.timeout(5):
        while not session.is_closed():
            await asyncio.sleep(0.01)
    session.terminate()  # must be possible on a closed connection: db.postgres.pool does it


def test_sqlalchemy_splits_a_dsn_into_the_options_of_asyncpg() -> None:
    dsn = async_dsn("postgresql://alice:secret@one:1,two:2/tickets")
    positional, options = PGDialect_asyncpg().create_connect_args(make_url(dsn))  # type: ignore[no-untyped-call]
    expected = {"host": ["one", "two"], "port": [1, 2], "user": "alice", "password": "secret", "database": "tickets"}
    found = {name: options.get(name) for name in expected}
    assert (positional, found) == ([], expected), (
        "PGDialect_asyncpg.create_connect_args changed; used by db.postgres.connections"
    )


async def test_redis_nodes_manager_knows_its_start_nodes_before_it_connects(cluster: RedisCluster) -> None:
    nodes = cluster.nodes_manager.startup_nodes
    assert [(name, type(node)) for name, node in nodes.items()] == [(node.name, ClusterNode) for node in nodes.values()]
    assert nodes, "NodesManager.startup_nodes changed; used by db.redis.guard"


async def test_redis_slots_cache_maps_each_slot_to_its_nodes_the_primary_first(cluster: RedisCluster) -> None:
    used_by = "db.redis.guard.GuardedRedis._locate"
    assert cluster.nodes_manager.slots_cache == {}, f"NodesManager.slots_cache changed; used by {used_by}"
    await cluster.initialize()
    slots = cluster.nodes_manager.slots_cache
    assert sorted(slots) == list(range(REDIS_CLUSTER_HASH_SLOTS)), f"slots_cache changed; used by {used_by}"
    primaries = {node.name: (node.host, int(node.port)) for node in cluster.get_primaries()}
    found = {nodes[0].name: (nodes[0].host, int(nodes[0].port)) for nodes in slots.values()}
    assert found == primaries, f"the first node of a slot is not its primary; used by {used_by}"


async def test_redis_key_slot_is_the_slot_of_the_server(cluster: RedisCluster) -> None:
    await cluster.initialize()
    for key in ("ticket:{g10}:42", "p:fence:{g10}", "rate:alice"):
        slot = await cluster.execute_command("CLUSTER KEYSLOT", key, target_nodes=cluster.get_random_node())
        assert key_slot(key.encode()) == slot, "redis.crc.key_slot changed; used by db.redis.guard"


async def test_redis_nodes_manager_can_be_initialized_again(cluster: RedisCluster) -> None:
    """After the first time RedisCluster.initialize() does nothing, so the probe of the breaker calls the manager."""
    await cluster.initialize()
    cluster.nodes_manager.slots_cache.clear()
    await cluster.initialize()
    assert cluster.nodes_manager.slots_cache == {}
    await cluster.nodes_manager.initialize()
    assert len(cluster.nodes_manager.slots_cache) == REDIS_CLUSTER_HASH_SLOTS, (
        "NodesManager.initialize no longer discovers the slots; used by db.redis.guard.GuardedRedis._probe_cluster"
    )


async def test_redis_cluster_info_of_one_node_is_parsed(cluster: RedisCluster) -> None:
    await cluster.initialize()
    for node in cluster.get_primaries():
        info = await cluster.execute_command("CLUSTER INFO", target_nodes=node)
        assert info["cluster_state"] == "ok", "CLUSTER INFO is parsed differently; used by db.redis.guard._serves_keys"


async def test_redis_cluster_nodes_close_their_connections(cluster: RedisCluster) -> None:
    """`_connections` and `_free` are used by tests of leaks only, `disconnect` and `nodes_cache` by the service."""
    await cluster.initialize()
    await asyncio.gather(*(cluster.get(f"key {number}") for number in range(50)))
    nodes: list[Any] = list(cluster.nodes_manager.nodes_cache.values())
    assert {node.name for node in nodes} == {node.name for node in cluster.get_nodes()}
    for node in nodes:
        assert node._connections, "ClusterNode._connections changed"  # noqa: SLF001 - this is what is tested
        assert len(node._free) == len(node._connections), "ClusterNode._free changed"  # noqa: SLF001 - as above
        await node.disconnect()
        assert not any(each.is_connected for each in node._connections), (  # noqa: SLF001 - as above
            "ClusterNode.disconnect leaves connections open; used by db.redis.guard.GuardedRedis._close_nodes"
        )


@pytest.mark.parametrize("is_cluster", [True, False])
async def test_redis_connection_kwargs_contain_the_login_and_the_address(*, is_cluster: bool) -> None:
    for tls in (True, False):
        options = {"redis_cluster": is_cluster, "redis_tls": tls, "redis_password": "secret"}
        client = patient_client(settings_for(NO_DATABASE, "host", 1234, **options))
        kwargs = client.get_connection_kwargs()
        assert (kwargs["username"], kwargs["password"]) == (None, "secret"), "used by db.redis.client.login_of"
        assert ("ssl_ca_certs" in kwargs) == tls, "ssl_ca_certs no longer means TLS; used by db.redis.client.login_of"
        if not is_cluster:
            assert (kwargs["host"], kwargs["port"]) == ("host", 1234), "used by db.redis.client.address_of"
        await client.aclose()


def test_redis_cluster_exception_is_no_redis_error() -> None:
    """If it becomes one, `_EXPECTED` in db.redis.guard need not name it."""
    assert not issubclass(RedisClusterException, RedisError)


def test_hiredis_packs_any_number_of_arguments_of_each_type() -> None:
    command: Any = ("HMGET", b"key", 1, "\u0444")
    packed = b"*4\r\n$5\r\nHMGET\r\n$3\r\nkey\r\n$1\r\n1\r\n$2\r\n\xd1\x84\r\n"
    assert hiredis.pack_command(command) == packed, "hiredis.pack_command changed; used by db.redis.multiplexed"


def test_hiredis_reader_returns_false_without_a_whole_reply_and_errors_as_values() -> None:
    reader = hiredis.Reader()
    reader.feed(b"$5\r\nhel")
    assert reader.gets() is False, "hiredis.Reader.gets changed; used by db.redis.multiplexed"
    reader.feed(b"lo\r\n-ERR no\r\n*2\r\n:1\r\n$-1\r\n")
    assert reader.gets() == b"hello"
    assert isinstance(reader.gets(), hiredis.ReplyError), "hiredis raises errors; used by db.redis.multiplexed"
    assert reader.gets() == [1, None]
    reader.feed(b"HTTP/1.1 400\r\n")
    with pytest.raises(hiredis.HiredisError):
        reader.gets()
