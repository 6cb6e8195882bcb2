"""Random faults of a cluster: frozen and killed nodes, promoted replicas that lost writes, deleted keys."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisClusterException, RedisError

from chaos.history import History
from core.settings import Settings
from db.cache.fence import fence_key, group_of, ticket_key
from db.cache.fence_groups import DEAD_AFTER_S
from db.embedded.process import ServerDidNotStart
from db.embedded.valkey import ValkeyNode
from db.redis.client import connect
from support.replicated_valkey import ReplicatedValkey, Shard

_PROMOTION_TIMEOUT_S: Final = 15
_DELETE_TIMEOUT_S: Final = 0.2


@dataclass
class ClusterFaults:
    """Causes the faults and records them. At the end of each, the cluster is as before, but for its data."""

    valkey: ReplicatedValkey
    settings: Settings
    dice: Random
    history: History

    async def harm_nodes(self, *, until: float) -> None:
        """Cause one fault after the other until a time of `time.monotonic()`, each kind once before the next round."""
        faults: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = (
            self._freeze_one,
            self._freeze_some,
            self._kill,
            self._freeze_one,
            self._kill_until_promoted,
            self._promote,
            self._promote_after_lost_writes,
            self._freeze_until_promoted,
            self._empty,
        )
        while True:
            for fault in self.dice.sample(faults, len(faults)):
                await asyncio.sleep(self.dice.uniform(0.2, 1.5))
                if time.monotonic() > until:
                    return
                await fault()

    async def delete_keys(self, tickets: Sequence[int], *, until: float) -> None:
        """Delete keys of tickets and fences, as eviction does, until a time of `time.monotonic()`."""
        client = connect(self.settings)
        assert isinstance(client, RedisCluster)
        while time.monotonic() < until:
            await asyncio.sleep(self.dice.uniform(0.01, 0.15))
            if not tickets:
                continue
            ticket_id = self.dice.choice(tickets[-8:] if self.dice.random() < 0.75 else tickets)
            is_fence, prefix = self.dice.random() < 0.1, self.settings.redis_prefix
            key = fence_key(prefix, group_of(ticket_id)) if is_fence else ticket_key(prefix, ticket_id)
            with contextlib.suppress(RedisError, RedisClusterException, OSError, KeyError):
                async with asyncio.timeout(_DELETE_TIMEOUT_S):
                    with self.history.during("fence deleted" if is_fence else "ticket key deleted"):
                        await client.delete(key)
        await client.aclose()

    async def _freeze_one(self) -> None:
        node = self.dice.choice(self.valkey.nodes)
        with self.history.during("node frozen"):
            await self._freeze([node], self.dice.uniform(0.1, 2))
            await self._settle()

    async def _freeze_some(self) -> None:
        nodes = self.dice.sample(self.valkey.nodes, self.dice.choice([2, 3, len(self.valkey.nodes)]))
        with self.history.during("every node frozen" if len(nodes) == len(self.valkey.nodes) else "nodes frozen"):
            await self._freeze(nodes, self.dice.uniform(0.1, 3))
            await self._settle()

    async def _kill(self) -> None:
        """Kill a primary and restart it, empty, before its replica takes over."""
        shard = await self._some_shard()
        with self.history.during("primary killed and restarted empty"):
            shard.primary.signal(signal.SIGKILL)
            await asyncio.sleep(self.dice.uniform(0, 1))
            await self._restart(shard.primary)

    async def _kill_until_promoted(self) -> None:
        shard = await self._some_shard()
        with self.history.during("primary killed, replica promoted"):
            shard.primary.signal(signal.SIGKILL)
            await self._until_promoted(shard.replica)
            await asyncio.sleep(self.dice.uniform(0, 1))
            await self._restart(shard.primary)

    async def _freeze_until_promoted(self) -> None:
        """Freeze a primary until its replica has taken over: when it continues, it still believes to be a primary."""
        shard = await self._some_shard()
        with self.history.during("primary frozen, replica promoted"):
            with _frozen([shard.primary]):
                await self._until_promoted(shard.replica)
                await asyncio.sleep(self.dice.uniform(0, 1))
            await self._settle()

    async def _promote(self) -> None:
        shard = await self._some_shard()
        with self.history.during("replica promoted by its operator"):
            await self._on(self.valkey.promote, shard.replica)
            with contextlib.suppress(TimeoutError):  # the primary may decline, then nothing happens
                async with asyncio.timeout(1):
                    await self._until_promoted(shard.replica)
            await self._settle()

    async def _promote_after_lost_writes(self) -> None:
        """Let a replica miss the latest writes, kill or freeze its primary, and promote the replica."""
        shard = await self._some_shard()
        with self.history.during("replica promoted after lost writes"):
            await self._on(self.valkey.stop_replication, shard)
            await asyncio.sleep(self.dice.uniform(0.2, 2))
            is_killed = self.dice.random() < 0.5
            shard.primary.signal(signal.SIGKILL if is_killed else signal.SIGSTOP)
            try:
                # A failover takes longer than a fence lives: the cluster's node timeout ensures it, and TAKEOVER not.
                await asyncio.sleep(DEAD_AFTER_S + self.dice.uniform(0, 0.5))
                await self._on(self.valkey.promote, shard.replica, "TAKEOVER")
                await asyncio.sleep(self.dice.uniform(0, 1))
            finally:
                if not is_killed:
                    shard.primary.signal(signal.SIGCONT)
            await self._on(self.valkey.resume_replication)
            if is_killed:
                await self._restart(shard.primary)
            else:
                await self._settle()

    async def _empty(self) -> None:
        shard = await self._some_shard()
        with self.history.during("node emptied"):
            await self._on(_flush, shard.primary)

    async def _freeze(self, nodes: Sequence[ValkeyNode], for_s: float) -> None:
        with _frozen(nodes):
            await asyncio.sleep(for_s)

    async def _restart(self, node: ValkeyNode) -> None:
        try:
            await asyncio.to_thread(node.start)
        except ServerDidNotStart as error:
            error.add_note(f"at the restart of node {self.valkey.nodes.index(node) + 1}")
            raise
        await self._settle()

    async def _settle(self) -> None:
        await asyncio.to_thread(self.valkey.wait_until_formed)

    async def _some_shard(self) -> Shard:
        await self._settle()
        while (shards := await asyncio.to_thread(self.valkey.shards)) is None:
            await self._settle()
        return self.dice.choice(shards)

    async def _until_promoted(self, replica: ValkeyNode) -> None:
        async with asyncio.timeout(_PROMOTION_TIMEOUT_S):
            while not await asyncio.to_thread(self.valkey.is_primary, replica):
                await asyncio.sleep(0.05)

    async def _on(self, act: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RedisError, OSError):
            await asyncio.to_thread(act, *arguments)


@contextlib.contextmanager
def _frozen(nodes: Sequence[ValkeyNode]) -> Iterator[None]:
    for node in nodes:
        node.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for node in nodes:
            node.signal(signal.SIGCONT)


def _flush(node: ValkeyNode) -> None:
    with node.client() as client:
        client.flushall()
