"""Redis behind a guard: no operation costs more than its budget, whatever Redis does, and no failure gets through."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from db.breaker import Breaker
from db.cache_scripts import Script
from db.redis import MAX_CONNECTIONS, Client

PROBE_BUDGET_S: Final = 2

# RedisClusterException is no RedisError; a node that closes in the middle may show as an OSError, as does a timeout.
_FAILURES: Final = (RedisError, RedisClusterException, OSError)


class CacheUnavailable(Exception):
    """Redis did not answer in time, or not as it should, or is not asked because it did not lately."""


class GuardedRedis:
    """The few commands of the cache, each within a budget in seconds; all of them raise CacheUnavailable."""

    def __init__(self, client: Client) -> None:
        self._client = client
        # As many as there are connections: beyond that one waits, within the budget, where the client would raise.
        self._places = asyncio.Semaphore(MAX_CONNECTIONS)
        self.breaker = Breaker(self._is_well)

    async def read(self, key: str, fields: list[str], *, budget_s: float) -> list[bytes | None]:
        """Return fields of a hash."""
        return cast("list[bytes | None]", await self._within(budget_s, key, lambda: self._client.hmget(key, fields)))

    async def run(self, script: Script, key: str, *arguments: str | int | bytes, budget_s: float) -> Any:  # noqa: ANN401
        """Return what a script answers."""

        async def evaluate() -> object:
            try:
                return await self._client.evalsha(script.digest, 1, key, *arguments)
            except NoScriptError:
                return await self._client.eval(script.source, 1, key, *arguments)

        return await self._within(budget_s, key, evaluate)

    async def warm_up(self) -> None:
        """Connect and learn which node serves what, so that the first requests need not."""
        try:
            async with asyncio.timeout(PROBE_BUDGET_S):
                await self._client.initialize()
        except _FAILURES as error:
            raise CacheUnavailable(_said(error)) from error

    async def close(self) -> None:
        """Give every connection back."""
        await self.breaker.close()
        await self._client.aclose()

    async def _within(self, budget_s: float, key: str, operation: Callable[[], Awaitable[object]]) -> object:
        shard = self._shard(key)
        if self.breaker.is_open(shard):
            raise CacheUnavailable(f"{shard} did not answer lately")
        is_asked = False
        try:
            async with asyncio.timeout(budget_s), self._places:
                is_asked = True
                answer = await operation()
        except _FAILURES as error:
            if is_asked:  # having waited for a place says nothing of the shard
                self.breaker.failed(shard)
            raise CacheUnavailable(_said(error)) from error
        self.breaker.succeeded(shard)
        return answer

    def _shard(self, key: str) -> str:
        """Return the name of the node that serves a key, as far as is known."""
        if not isinstance(self._client, RedisCluster):
            return "redis"
        try:
            node = self._client.get_node_from_key(key)
        except RedisClusterException:
            node = None
        return "an unknown node" if node is None else str(node.name)

    async def _is_well(self, shard: str) -> bool:
        """Ask a shard that failed, and on the way learn whether another node serves its keys now."""
        try:
            async with asyncio.timeout(PROBE_BUDGET_S):
                if not isinstance(self._client, RedisCluster):
                    await self._client.ping()
                    return True
                await self._client.initialize()
                await self._client.nodes_manager.initialize()
                primaries = [node for node in self._client.get_primaries() if node.name == shard]
                for node in primaries:
                    await self._client.execute_command("PING", target_nodes=node)
        except _FAILURES:
            return False
        return True


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
