"""Random faults of a cluster: nodes killed and started again empty, nodes frozen, keys taken out."""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Sequence
from random import Random

from redis.asyncio.cluster import RedisCluster
from redis.crc import key_slot
from redis.exceptions import RedisClusterException, RedisError

from chaos.history import CacheRecord
from core.settings import Settings
from db.embedded.process import ServerDidNotStart
from db.embedded.valkey import EmbeddedValkey, ValkeyNode
from db.redis.client import connect

# A command to a frozen node may still be done when the node is thawed.
_LATEST_ARRIVAL_S = 5


class Faults:
    """Makes faults happen, counts them, and records which keys they took."""

    def __init__(self, valkey: EmbeddedValkey, settings: Settings, dice: Random, record: CacheRecord) -> None:
        self._valkey = valkey
        self._settings = settings
        self._dice = dice
        self._record = record
        self._killed: list[tuple[ValkeyNode, float, float]] = []
        self.counts: Counter[str] = Counter()

    async def harm_nodes(self, *, until: float) -> None:
        """Kill or freeze nodes, one fault after the other and each repaired, until a time of `time.monotonic()`."""
        while time.monotonic() < until:
            await asyncio.sleep(self._dice.uniform(0.2, 2))
            # The first fault is a death, so that a short storm on a slow machine has one, too.
            if self._dice.random() < 0.35 or not self.counts["node killed"]:
                await self._kill(self._dice.choice(self._valkey.nodes))
            else:
                some = self._dice.choices([1, 2, len(self._valkey.nodes)], [8, 1, 1])[0]
                await self._freeze(self._dice.sample(self._valkey.nodes, some), self._dice.uniform(0.1, 2))

    async def take_keys(self, tickets: Sequence[int], *, until: float) -> None:
        """Take keys of tickets out, as eviction would, until a time of `time.monotonic()`."""
        client = connect(self._settings)
        assert isinstance(client, RedisCluster)
        while time.monotonic() < until:
            await asyncio.sleep(self._dice.uniform(0.01, 0.15))
            if not tickets:
                continue
            ticket_id = self._dice.choice(tickets[-8:] if self._dice.random() < 0.75 else tickets)
            began_at = time.monotonic()
            ended_at = began_at + _LATEST_ARRIVAL_S
            with contextlib.suppress(RedisError, RedisClusterException, OSError):
                async with asyncio.timeout(0.2):
                    self.counts["key taken"] += await client.delete(self._key(ticket_id))
                    ended_at = time.monotonic()
            self._record.losses.setdefault(ticket_id, []).append((began_at, ended_at))
        await client.aclose()

    def settle(self, tickets: Sequence[int]) -> None:
        """Record what each ticket lost with the nodes that were killed."""
        for ticket_id in tickets:
            owner = self._valkey.owner(key_slot(self._key(ticket_id).encode()))
            self._record.losses.setdefault(ticket_id, []).extend(
                (killed_at, until) for node, killed_at, until in self._killed if node is owner
            )

    async def _kill(self, node: ValkeyNode) -> None:
        """End a node as a power cut would; started again it is empty, and knows neither its slots nor the others."""
        killed_at = time.monotonic()
        node.signal(signal.SIGKILL)
        self.counts["node killed"] += 1
        await asyncio.sleep(self._dice.uniform(0, 1.5))
        await asyncio.to_thread(self._restart, node)
        self._killed.append((node, killed_at, time.monotonic()))

    async def _freeze(self, nodes: Sequence[ValkeyNode], for_s: float) -> None:
        name = "every node frozen" if len(nodes) == len(self._valkey.nodes) else f"{len(nodes)} node(s) frozen"
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
            self._valkey.rejoin(node)
            self._valkey.wait_until_formed()
        except (RedisError, ServerDidNotStart) as error:
            running = [each.is_running for each in self._valkey.nodes]
            error.add_note(f"node {self._valkey.nodes.index(node) + 1} was to come back; which of them run: {running}")
            raise

    def _key(self, ticket_id: int) -> str:
        return f"{self._settings.redis_prefix}ticket:{{{ticket_id}}}"
