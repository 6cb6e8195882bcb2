"""Redis behind a guard: no operation costs more than its budget, whatever Redis does, and no failure gets through."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from db.cache.scripts import Script
from db.redis.breaker import Breaker
from db.redis.client import MAX_CONNECTIONS, SOCKET_TIMEOUT_S, Client, address_of, login_of
from db.redis.multiplexed import Address, MultiplexedConnections, RedisRefused, Word

PROBE_BUDGET_S: Final = 2

# What a server or a network that fails looks like. RedisClusterException is no RedisError; a node that closes in the
# middle may show as an OSError, as does a timeout, and a slot that no node serves as a KeyError.
_EXPECTED: Final = (RedisRefused, RedisError, RedisClusterException, OSError, KeyError)

# The name of the shard of keys of which it is not known which node serves them.
_UNKNOWN: Final = "an unknown node"
_SINGLE: Final = "redis"
_ELSEWHERE: Final = ("MOVED ", "ASK ")
_NO_SCRIPT: Final = "NOSCRIPT "

_log = logging.getLogger(__name__)


class CacheUnavailable(Exception):
    """Redis did not answer in time, or not as it should, or is not asked because it did not lately."""


class GuardedRedis:
    """The few commands of the cache, each within a budget in seconds, and 10 ms; all of them raise CacheUnavailable.

    They go through pipes. The client knows which node serves which key, learns it anew, and follows keys that move.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._start_nodes = dict(client.nodes_manager.startup_nodes) if isinstance(client, RedisCluster) else {}
        self._pipes = MultiplexedConnections(login_of(client), connect_timeout_s=SOCKET_TIMEOUT_S)
        # As many as the client has connections: beyond that one waits, within the budget, where it would raise.
        self._places = asyncio.Semaphore(MAX_CONNECTIONS)
        self._single_address = address_of(client)
        self.breaker = Breaker(self._is_well)

    @property
    def shards(self) -> list[str]:
        """The names of the nodes that serve keys, as far as is known."""
        if isinstance(self._client, RedisCluster):
            return [str(node.name) for node in self._client.get_primaries()]
        return [_SINGLE]

    async def read(self, key: str, *fields: str, budget_s: float) -> list[bytes | None]:
        """Return fields of a hash."""
        found: list[bytes | None] = await self._ask(key, ("HMGET", key, *fields), budget_s)
        return found

    async def run(self, script: Script, key: str, *arguments: Word, budget_s: float) -> Any:  # noqa: ANN401
        """Return what a script answers."""
        return await self._ask(key, ("EVALSHA", script.digest, 1, key, *arguments), budget_s, script)

    async def count_silent(self, *, budget_s: float) -> tuple[int, int]:
        """Ask each node that serves keys; return how many do not answer, or serve nothing, and how many there are.

        Those that are left alone for now are not asked. The breaker does not hear of it: to be asked is no request.
        """
        if not isinstance(self._client, RedisCluster):
            shards: list[tuple[str, ClusterNode | None]] = [(_SINGLE, None)]
        else:
            shards = [(str(node.name), node) for node in self._client.get_primaries()]
        answers = await asyncio.gather(*(self._answers(name, node, budget_s) for name, node in shards))
        if not shards:  # no node that could be asked for the others
            return 1, 1
        return answers.count(False), len(shards)

    async def warm_up(self) -> None:
        """Connect and learn which node serves what, so that the first requests need not."""
        async with _failures_translated(), asyncio.timeout(PROBE_BUDGET_S):
            until = asyncio.get_running_loop().time() + SOCKET_TIMEOUT_S
            if not isinstance(self._client, RedisCluster):
                nodes = [address for address in [self._single_address] if address is not None]
            else:
                await self._client.initialize()
                nodes = [(node.host, int(node.port)) for node in self._client.get_primaries()]
            # A node that is away holds up nothing and is no reason to do without the others.
            asking = (self._pipes.ask(node, ("PING",), until=until) for node in nodes)
            await asyncio.gather(*asking, return_exceptions=isinstance(self._client, RedisCluster))

    async def close(self) -> None:
        """Give every connection back."""
        try:
            await self.breaker.close()
            await self._pipes.close()
            async with _failures_translated(), asyncio.timeout(PROBE_BUDGET_S):
                await self._client.aclose()
        except CacheUnavailable as error:
            _log.warning("not every connection to Redis was closed in order: %s", error)
        finally:
            if isinstance(self._client, RedisCluster):
                await self._close_nodes(self._client)

    async def _close_nodes(self, client: RedisCluster) -> None:
        # aclose() does nothing for a client that is about to learn its nodes anew, and it passes over the start nodes
        # when a connection takes longer to close than SOCKET_TIMEOUT_S, as on a machine too busy to run us that long.
        learned = client.nodes_manager
        known = (*learned.nodes_cache.values(), *learned.startup_nodes.values(), *self._start_nodes.values())
        nodes = {id(node): node for node in known}  # two of the same name may have connections of their own
        await asyncio.gather(*(node.disconnect() for node in nodes.values()), return_exceptions=True)

    async def _ask(self, key: str, words: tuple[Word, ...], budget_s: float, script: Script | None = None) -> Any:  # noqa: ANN401
        shard, address = self._place(key)
        if self.breaker.is_open(shard):
            raise CacheUnavailable(f"{shard} did not answer lately")
        until = asyncio.get_running_loop().time() + budget_s
        try:
            try:
                answer = await self._ask_owner(address, words, until)
            except (RedisRefused, NoScriptError) as refusal:
                if script is None or not _lacks_script(refusal):
                    raise
                answer = await self._ask_owner(address, ("EVAL", script.source, *words[2:]), until)
        except Exception as error:
            self.breaker.failed(shard)
            raise _unavailable(error) from error
        self.breaker.succeeded(shard)
        return answer

    async def _ask_owner(self, address: Address | None, words: tuple[Word, ...], until: float) -> object:
        """Ask the node at an address, or whoever serves the key if it does not, or if that is not known."""
        if address is not None:
            try:
                return await self._pipes.ask(address, words, until=until)
            except RedisRefused as refusal:
                if not str(refusal).startswith(_ELSEWHERE):
                    raise
        async with asyncio.timeout_at(until), self._places:
            return await self._client.execute_command(*words)

    def _place(self, key: str) -> tuple[str, Address | None]:
        """Return the name and the address of the node that serves a key, as far as is known."""
        if not isinstance(self._client, RedisCluster):
            return _SINGLE, self._single_address
        nodes = self._client.nodes_manager.slots_cache.get(key_slot(key.encode()))
        if not nodes:
            return _UNKNOWN, None
        return nodes[0].name, (nodes[0].host, int(nodes[0].port))

    async def _is_well(self, shard: str) -> bool:
        """Ask a shard that failed, and on the way learn whether another node serves its keys now."""
        try:
            async with _failures_translated(), asyncio.timeout(PROBE_BUDGET_S):
                if isinstance(self._client, RedisCluster):
                    await self._ask_cluster(self._client, shard)
                else:
                    await self._client.ping()
        except CacheUnavailable:
            return False
        return True

    async def _answers(self, shard: str, node: ClusterNode | None, budget_s: float) -> bool:
        if self.breaker.is_open(shard):
            return False
        try:
            async with _failures_translated(), asyncio.timeout(budget_s):
                if node is None:
                    await self._client.ping()
                    return True
                return await _serves_keys(self._client, node)
        except CacheUnavailable:
            return False

    async def _ask_cluster(self, client: RedisCluster, shard: str) -> None:
        # A node that has no slots yet, new or restarted, makes the client forget every node it could ask.
        for name, node in self._start_nodes.items():
            client.nodes_manager.startup_nodes.setdefault(name, node)
        await client.initialize()
        await client.nodes_manager.initialize()
        if shard == _UNKNOWN and len(client.nodes_manager.slots_cache) < REDIS_CLUSTER_HASH_SLOTS:
            raise CacheUnavailable("some slots are served by no node")
        for node in client.get_primaries():
            if node.name == shard and not await _serves_keys(client, node):
                raise CacheUnavailable(f"{shard} is in no working cluster")


def _lacks_script(refusal: Exception) -> bool:
    return isinstance(refusal, NoScriptError) or str(refusal).startswith(_NO_SCRIPT)


async def _serves_keys(client: Client, node: ClusterNode) -> bool:
    """Return whether a node that answers is in a working cluster."""
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
        # A client whose connection goes away at a bad moment may stumble over itself. No request is to fail by that.
        _log.warning("the Redis client failed in an unexpected way: %r", error)
    return CacheUnavailable(f"{type(error).__name__}: {error}")
