"""A Valkey cluster whose primaries have a replica each, as clusters in operation do."""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.crc import REDIS_CLUSTER_HASH_SLOTS
from redis.exceptions import RedisError
from redis.retry import Retry

from db.embedded import EmbeddedValkey
from db.embedded.process import ServerDidNotStart
from db.embedded.valkey import ValkeyNode

_IDENTITY: Final = "nodes.conf"
_POLL_INTERVAL_S: Final = 0.05
# A node without a password refuses a replica that sends one.
_NO_REPLICATION: Final = "wrong"


class _LastingNode(ValkeyNode):
    """A node that keeps its place in the cluster across restarts, though not its data."""

    def client(self) -> Redis:
        """Return a client that fails soon when the node does not respond."""
        return Redis(port=self.port, socket_timeout=1, decode_responses=True, retry=Retry(NoBackoff(), 0))

    def _left_over(self) -> Iterable[Path]:
        return [path for path in super()._left_over() if path.name != _IDENTITY]

    def _options(self) -> dict[str, str]:
        return super()._options() | {"cluster-allow-replica-migration": "no"}


@dataclass(frozen=True, slots=True)
class Shard:
    """A primary and its replica, as they are now."""

    primary: ValkeyNode
    replica: ValkeyNode


class ReplicatedValkey(EmbeddedValkey):
    """A cluster of `shards` primaries with a replica each. A killed node returns as the same node, empty."""

    _node_class = _LastingNode

    def __init__(self, folder: Path, *, shards: int = 3) -> None:
        super().__init__(folder, nodes=2 * shards)
        self._shards = shards

    def start(self) -> None:
        """Start the nodes, form the cluster and attach the replicas."""
        for node in self.nodes:
            node.start()
        for node in self.nodes[: self._shards]:
            self._assign_slots(node)
        self._connect(self.nodes[0], self.nodes[1:])
        super().wait_until_formed()
        for primary, replica in zip(self.nodes[: self._shards], self.nodes[self._shards :], strict=True):
            with replica.client() as client:
                client.execute_command("CLUSTER REPLICATE", primary.cluster_id())

    def wait_until_formed(self, *, timeout_s: float = 30) -> None:
        """Return when every node sees the whole cluster, and every primary has a replica with a copy of its data.

        Raises ServerDidNotStart.
        """
        deadline = time.monotonic() + timeout_s
        while self.shards() is None:
            if time.monotonic() > deadline:
                raise ServerDidNotStart(f"the cluster did not recover within {timeout_s:.0f} s: {self._described()}")
            time.sleep(_POLL_INTERVAL_S)

    def shards(self) -> list[Shard] | None:
        """Return the primaries with their replicas; None while the nodes do not all respond, or do not agree."""
        by_port = {node.port: node for node in self.nodes}
        try:
            if not all(self._sees_all(node) for node in self.nodes):
                return None
            roles = {node.port: _role(node) for node in self.nodes}
            views = {self._slots(node) for node in self.nodes}
        except (RedisError, OSError):
            return None
        replicas = {role[2]: port for port, role in roles.items() if role[0] == "slave" and role[3] == "connected"}
        primaries = {port for port, role in roles.items() if role[0] == "master"}
        if len(views) != 1 or len(primaries) != self._shards or replicas.keys() != primaries:
            return None
        return [Shard(by_port[port], by_port[replicas[port]]) for port in sorted(primaries)]

    def is_primary(self, node: ValkeyNode) -> bool:
        """Return whether a node says that it is a primary."""
        try:
            return bool(_role(node)[0] == "master")
        except (RedisError, OSError):
            return False

    def stop_replication(self, shard: Shard) -> None:
        """Let the replica receive no more writes."""
        with shard.replica.client() as client:
            client.config_set("primaryauth", _NO_REPLICATION)
            client.execute_command("CLIENT KILL TYPE master")

    def resume_replication(self) -> None:
        """Undo `stop_replication` on every node that responds."""
        for node in self.nodes:
            with suppress(RedisError, OSError), node.client() as client:
                client.config_set("primaryauth", "")

    def promote(self, replica: ValkeyNode, *how: str) -> None:
        """Let a replica take over: in agreement with its primary, or, with TAKEOVER, without asking any other node."""
        with replica.client() as client:
            client.execute_command("CLUSTER FAILOVER", *how)

    @property
    def _share(self) -> int:
        return -(-REDIS_CLUSTER_HASH_SLOTS // self._shards)

    def _slots(self, node: ValkeyNode) -> tuple[tuple[int, int, int], ...]:
        with node.client() as client:
            ranges: list[Any] = client.execute_command("CLUSTER SLOTS")
        return tuple(sorted((first, last, int(primary[1])) for first, last, primary, *_ in ranges))

    def _described(self) -> dict[int, object]:
        described: dict[int, object] = {}
        for node in self.nodes:
            try:
                described[node.port] = (_role(node)[:4], self._slots(node))
            except (RedisError, OSError) as error:
                described[node.port] = f"{node.is_running=} {error!r}"
        return described


def _role(node: ValkeyNode) -> list[Any]:
    with node.client() as client:
        role: list[Any] = client.execute_command("ROLE")
    return role
