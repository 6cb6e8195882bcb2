"""Redis operations with a timeout and a circuit breaker: every failure of Redis becomes CacheUnavailable."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, cast

from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import NoScriptError, RedisClusterException, RedisError, ResponseError

from db.cache.scripts import Script
from db.redis.breaker import Breaker
from db.redis.client import MAX_CONNECTIONS, SOCKET_TIMEOUT_S, Client, address_of, login_of
from db.redis.multiplexed import Address, Argument, MultiplexedConnections, RedisErrorReply, packed, packed_once

PROBE_TIMEOUT_S: Final = 2

# The errors of a server or network that fails. RedisClusterException does not derive from RedisError; a node that
# closes its connection early may cause an OSError, as does a timeout; a slot that no node serves causes a KeyError.
_EXPECTED: Final = (RedisErrorReply, RedisError, RedisClusterException, OSError, KeyError)

# The shard name for keys in slots for which no node is known.
_UNKNOWN: Final = "an unknown node"
_SINGLE: Final = "redis"
_MOVED: Final = "MOVED"
_ASK: Final = "ASK"
_NO_SCRIPT: Final = "NOSCRIPT "

_log = logging.getLogger(__name__)


class CacheUnavailable(Exception):
    """Redis did not reply in time or replied with an error, or its circuit breaker is open."""


class _Guarded:
    """The context of a command on a shard; every failure in it becomes CacheUnavailable.

    A class, because a lookup enters it: a generator takes four times as long.
    """

    __slots__ = ("_breaker", "_shard", "_timeout_s")

    def __init__(self, breaker: Breaker, shard: str, timeout_s: float) -> None:
        self._breaker = breaker
        self._shard = shard
        self._timeout_s = timeout_s

    def __enter__(self) -> float:
        """Return the deadline, by the clock of the event loop. Raises CacheUnavailable while the breaker is open."""
        if self._breaker.is_open(self._shard):
            raise CacheUnavailable(f"the circuit breaker of {self._shard} is open")
        return asyncio.get_running_loop().time() + self._timeout_s

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # An error reply is a reply: only silence opens the breaker.
        if error is None or isinstance(error, (RedisErrorReply, ResponseError)):
            self._breaker.record_success(self._shard)
        elif isinstance(error, Exception):
            self._breaker.record_failure(self._shard)
        if isinstance(error, Exception):
            raise _unavailable(error) from error


class GuardedRedis:
    """The commands that the cache needs. Each takes at most `timeout_s` and 10 ms, and raises CacheUnavailable.

    Commands go through multiplexed connections. The redis-py client discovers which node serves which slot, again after
    a change, and follows the redirections of keys that move.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._start_nodes = dict(client.nodes_manager.startup_nodes) if isinstance(client, RedisCluster) else {}
        self.connections = MultiplexedConnections(login_of(client), connect_timeout_s=SOCKET_TIMEOUT_S)
        # The client raises when all its connections are in use; callers wait here instead, within the timeout.
        self._client_permits = asyncio.Semaphore(MAX_CONNECTIONS)
        self._single_address = address_of(client)
        self.breaker = Breaker(self._responds)

    @property
    def shards(self) -> list[str]:
        """The names of the known nodes that serve keys."""
        if isinstance(self._client, RedisCluster):
            return [str(node.name) for node in self._client.get_primaries()]
        return [_SINGLE]

    async def read(self, key: str, *fields: str, timeout_s: float) -> list[bytes | None]:
        """Return fields of a hash; None for each that is missing."""
        values: list[bytes | None] = await self._execute(key, ("HMGET", key, *fields), timeout_s)
        return values

    async def read_with(
        self, key: str, *fields: str, other: str, timeout_s: float
    ) -> tuple[list[bytes | None], bytes | None]:
        """Return fields of a hash, read first, and the value of another key of the same slot, read after it.

        The value is read by GETEX, which changes nothing, but counts as a write: a primary that hands its slots over to
        a replica executes no writes from then on, while it still responds to reads.
        """
        shard, address = self.locate(other)
        hash_read, value_read = ("HMGET", key, *fields), ("GETEX", other)
        with self.guarded(shard, timeout_s) as until:
            if address is not None:
                commands = packed(hash_read) + packed_once(value_read)
                values, value = await self.connections.execute_packed(address, commands, count=2, until=until)
                if not isinstance(values, RedisErrorReply) and not isinstance(value, RedisErrorReply):
                    return values, value
            values = await self._execute_on_owner(address, hash_read, until)
            value = await self._execute_on_owner(address, value_read, until)
            return cast("list[bytes | None]", values), cast("bytes | None", value)

    async def run(self, script: Script, keys: str | tuple[str, ...], *arguments: Argument, timeout_s: float) -> Any:  # noqa: ANN401
        """Run a script on a key, or on several of one slot, and return its result."""
        names = (keys,) if isinstance(keys, str) else keys
        command = ("EVALSHA", script.digest, len(names), *names, *arguments)
        return await self._execute(names[0], command, timeout_s, script)

    async def count_unresponsive(self, *, timeout_s: float) -> tuple[int, int]:
        """Ping each node that serves keys; return how many do not respond or serve no keys, and how many nodes exist.

        A node whose breaker is open counts as unresponsive and is not pinged. The breaker ignores these pings, because
        they are not requests.
        """
        if not isinstance(self._client, RedisCluster):
            shards: list[tuple[str, ClusterNode | None]] = [(_SINGLE, None)]
        else:
            shards = [(str(node.name), node) for node in self._client.get_primaries()]
        responses = await asyncio.gather(*(self._node_responds(name, node, timeout_s) for name, node in shards))
        if not shards:  # no node is known, so none can be asked for the others
            return 1, 1
        return responses.count(False), len(shards)

    async def warm_up(self) -> None:
        """Connect to every node and discover the slots, so that the first requests need not."""
        async with _failures_translated(), asyncio.timeout(PROBE_TIMEOUT_S):
            until = asyncio.get_running_loop().time() + SOCKET_TIMEOUT_S
            if not isinstance(self._client, RedisCluster):
                nodes = [address for address in [self._single_address] if address is not None]
            else:
                await self._client.initialize()
                nodes = [(node.host, int(node.port)) for node in self._client.get_primaries()]
            # In a cluster, a node that does not respond delays nothing, and the cache uses the other nodes.
            pings = (self.connections.execute(node, ("PING",), until=until) for node in nodes)
            await asyncio.gather(*pings, return_exceptions=isinstance(self._client, RedisCluster))

    async def close(self) -> None:
        """Close every connection."""
        try:
            await self.breaker.close()
            await self.connections.close()
            async with _failures_translated(), asyncio.timeout(PROBE_TIMEOUT_S):
                await self._client.aclose()
        except CacheUnavailable as error:
            _log.warning("not every connection to Redis was closed cleanly: %s", error)
        finally:
            if isinstance(self._client, RedisCluster):
                await self._close_nodes(self._client)

    async def _close_nodes(self, client: RedisCluster) -> None:
        # aclose() does nothing while the client is about to discover its nodes again, and it skips the start nodes when
        # a connection takes longer to close than SOCKET_TIMEOUT_S, as happens when the machine is very busy.
        manager = client.nodes_manager
        known = (*manager.nodes_cache.values(), *manager.startup_nodes.values(), *self._start_nodes.values())
        nodes = {id(node): node for node in known}  # two objects of the same name may each have connections
        await asyncio.gather(*(node.disconnect() for node in nodes.values()), return_exceptions=True)

    async def _execute(
        self,
        key: str,
        arguments: tuple[Argument, ...],
        timeout_s: float,
        script: Script | None = None,
    ) -> Any:  # noqa: ANN401
        shard, address = self.locate(key)
        with self.guarded(shard, timeout_s) as until:
            try:
                return await self._execute_on_owner(address, arguments, until)
            except (RedisErrorReply, NoScriptError) as error:
                if script is None or not lacks_script(error):
                    raise
                return await self._execute_on_owner(address, ("EVAL", script.source, *arguments[2:]), until)

    def guarded(self, shard: str, timeout_s: float) -> "_Guarded":
        """Return a context that gives the deadline of a command, and records whether the shard of its key responds."""
        return _Guarded(self.breaker, shard, timeout_s)

    async def _execute_on_owner(self, address: Address | None, arguments: tuple[Argument, ...], until: float) -> object:
        """Send a command to `address`; if it is None or the node redirects, let the right node carry it out."""
        if address is not None:
            try:
                return await self.connections.execute(address, arguments, until=until)
            except RedisErrorReply as error:
                kind, _, rest = str(error).partition(" ")
                if kind == _ASK:
                    return await self._ask(address, rest, arguments, until)
                if kind != _MOVED:
                    raise
        async with asyncio.timeout_at(until), self._client_permits:
            return await self._client.execute_command(*arguments)

    async def _ask(self, origin: Address, slot_and_node: str, arguments: tuple[Argument, ...], until: float) -> object:
        """Send a command to the node that imports its slot.

        ASKING concerns the next command of its connection. redis-py may send the two on different connections, which
        then redirects for ever.
        """
        host, _, port = slot_and_node.rpartition(" ")[2].rpartition(":")
        importing = host or origin[0], int(port)
        _, reply = await self.connections.execute_all(importing, (("ASKING",), arguments), until=until)
        if isinstance(reply, RedisErrorReply):
            raise reply
        return reply

    def locate(self, key: str) -> tuple[str, Address | None]:
        """Return the name and the address of the node that serves a key; the address is None if it is not known."""
        if not isinstance(self._client, RedisCluster):
            return _SINGLE, self._single_address
        nodes = self._client.nodes_manager.slots_cache.get(_slot_of(key))
        if not nodes:
            return _UNKNOWN, None
        return nodes[0].name, (nodes[0].host, int(nodes[0].port))

    async def _responds(self, shard: str) -> bool:
        """Probe a shard for the breaker, and discover whether another node serves its slots now."""
        try:
            async with _failures_translated(), asyncio.timeout(PROBE_TIMEOUT_S):
                if isinstance(self._client, RedisCluster):
                    await self._probe_cluster(self._client, shard)
                else:
                    await self._client.ping()
        except CacheUnavailable:
            return False
        return True

    async def _node_responds(self, shard: str, node: ClusterNode | None, timeout_s: float) -> bool:
        if self.breaker.is_open(shard):
            return False
        try:
            async with _failures_translated(), asyncio.timeout(timeout_s):
                if node is None:
                    await self._client.ping()
                    return True
                return await _serves_keys(self._client, node)
        except CacheUnavailable:
            return False

    async def _probe_cluster(self, client: RedisCluster, shard: str) -> None:
        # A node that has no slots yet, because it is new or restarted, makes the client drop every start node.
        for name, node in self._start_nodes.items():
            client.nodes_manager.startup_nodes.setdefault(name, node)
        await client.initialize()
        await client.nodes_manager.initialize()
        if shard == _UNKNOWN and len(client.nodes_manager.slots_cache) < REDIS_CLUSTER_HASH_SLOTS:
            raise CacheUnavailable("some slots are served by no node")
        for node in client.get_primaries():
            if node.name == shard and not await _serves_keys(client, node):
                raise CacheUnavailable(f"{shard} is in no working cluster")


@lru_cache(maxsize=1024)
def _slot_of(key: str) -> int:
    return key_slot(key.encode())


def lacks_script(error: Exception) -> bool:
    """Return whether a node does not know a script by its digest."""
    return isinstance(error, NoScriptError) or str(error).startswith(_NO_SCRIPT)


async def _serves_keys(client: Client, node: ClusterNode) -> bool:
    """Return whether a node reports that its cluster works."""
    info = await client.execute_command("CLUSTER INFO", target_nodes=node)
    return bool(info["cluster_state"] == "ok")


@asynccontextmanager
async def _failures_translated() -> AsyncIterator[None]:
    try:
        yield
    except CacheUnavailable:
        raise
    except Exception as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> CacheUnavailable:
    if not isinstance(error, _EXPECTED):
        # redis-py may raise any error when a connection is lost at the wrong moment. It must not fail a request.
        _log.warning("the Redis client raised an unexpected error: %r", error)
    return CacheUnavailable(f"{type(error).__name__}: {error}")
