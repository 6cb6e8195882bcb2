"""Random faults of a cluster: nodes that are killed and restarted empty, frozen nodes, deleted keys."""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from redis.asyncio.cluster import RedisCluster
from redis.crc import key_slot
from redis.exceptions import RedisClusterException, RedisError

from chaos.history import CacheRecord
from core.settings import Settings
from db.embedded.process import ServerDidNotStart
from db.embedded.valkey import EmbeddedValkey, ValkeyNode
from db.redis.client import connect

# A command to a frozen node may still be executed when the node is thawed.
_LATEST_ARRIVAL_S = 5


@dataclass
class Faults:
    """Causes faults, counts them, and records the keys that they deleted."""

    valkey: EmbeddedValkey
    settings: Settings
    dice: Random
    record: CacheRecord
    counts: Counter[str] = field(default_factory=Counter)
    _killed: list[tuple[ValkeyNode, float, float]] = field(default_factory=list)

    async def harm_nodes(self, *, until: float) -> None:
        """Kill or freeze nodes and repair them, one fault after the other, until a time of `time.monotonic()`."""
        while time.monotonic() < until:
            await asyncio.sleep(self.dice.uniform(0.2, 2))
            # The first fault kills a node, so that a short run on a slow machine has one too.
            if self.dice.random() < 0.35 or not self.counts["node killed"]:
                await self._kill(self.dice.choice(self.valkey.nodes))
            else:
                some = self.dice.choices([1, 2, len(self.valkey.nodes)], [8, 1, 1])[0]
                await self._freeze(self.dice.sample(self.valkey.nodes, some), self.dice.uniform(0.1, 2))

    async def delete_keys(self, tickets: Sequence[int], *, until: float) -> None:
        """Delete keys of tickets, as eviction does, until a time of `time.monotonic()`."""
        client = connect(self.settings)
        assert isinstance(client, RedisCluster)
        while time.monotonic() < until:
            await asyncio.sleep(self.dice.uniform(0.01, 0.15))
            if not tickets:
                continue
            ticket_id = self.dice.choice(tickets[-8:] if self.dice.random() < 0.75 else tickets)
            began_at = time.monotonic()
            ended_at = began_at + _LATEST_ARRIVAL_S
            with contextlib.suppress(RedisError, RedisClusterException, OSError):
                async with asyncio.timeout(0.2):
                    self.counts["key deleted"] += await client.delete(self._key(ticket_id))
                    ended_at = time.monotonic()
            self.record.losses.setdefault(ticket_id, []).append((began_at, ended_at))
        await client.aclose()

    def settle(self, tickets: Sequence[int]) -> None:
        """Record the loss of each ticket's key with the killed nodes."""
        for ticket_id in tickets:
            owner = self.valkey.owner(key_slot(self._key(ticket_id).encode()))
            self.record.losses.setdefault(ticket_id, []).extend(
                (killed_at, until) for node, killed_at, until in self._killed if node is owner
            )

    async def _kill(self, node: ValkeyNode) -> None:
        """Kill a node as a power cut does. After its restart it is empty and knows neither its slots nor the others."""
        killed_at = time.monotonic()
        node.signal(signal.SIGKILL)
        self.counts["node killed"] += 1
        await asyncio.sleep(self.dice.uniform(0, 1.5))
        await asyncio.to_thread(self._restart, node)
        self._killed.append((node, killed_at, time.monotonic()))

    async def _freeze(self, nodes: Sequence[ValkeyNode], for_s: float) -> None:
        name = "every node frozen" if len(nodes) == len(self.valkey.nodes) else f"{len(nodes)} node(s) frozen"
        self.counts[name] += 1
        for node in nodes:
            node.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(for_s)
        finally:
            for node in nodes:
                node.signal(signal.SIGCONT)

    def _restart(self, node: ValkeyNode) -> None:
        try:
            node.start()
            self.valkey.rejoin(node)
            self.valkey.wait_until_formed()
        except (RedisError, ServerDidNotStart) as error:
            running = [each.is_running for each in self.valkey.nodes]
            error.add_note(f"at the restart of node {self.valkey.nodes.index(node) + 1}; running nodes: {running}")
            raise

    def _key(self, ticket_id: int) -> str:
        return f"{self.settings.redis_prefix}ticket:{{{ticket_id}}}"
