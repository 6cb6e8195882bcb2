"""The ports of embedded servers: no two processes choose the same, and a server starts although its port is taken."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from socket import SO_REUSEADDR, SOL_SOCKET, socket

import pytest

from core.settings import ROOT
from db.embedded import EmbeddedPostgres, EmbeddedValkey, ServerDidNotStart
from db.embedded.process import free_port, is_in_use
from db.embedded.valkey import ValkeyNode

CHOOSE = """
from db.embedded import process
process._SERVER_PORTS = [{taken}, {other}]
print(process.free_port())
"""


@pytest.fixture
def node(server_folder: Path) -> Iterator[ValkeyNode]:
    node = ValkeyNode(server_folder / "valkey-with-a-taken-port")
    yield node
    node.stop()


@pytest.fixture
def postgres(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(server_folder / "postgres-with-a-taken-port")
    yield postgres
    postgres.stop()


def listener(port: int) -> socket:
    """Return a socket that listens on a port, as the server of another process does."""
    occupant = socket()
    occupant.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    occupant.bind(("127.0.0.1", port))
    occupant.listen()
    return occupant


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a server listen on a reserved port")
def test_a_port_is_chosen_by_one_process_only() -> None:
    reserved = free_port()
    with socket() as unreserved:
        unreserved.bind(("127.0.0.1", 0))
        other = unreserved.getsockname()[1]
    code = CHOOSE.format(taken=reserved, other=other)
    chosen = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "src")}, capture_output=True, check=True
        ).stdout
        for _ in range(10)
    ]
    assert set(chosen) == {f"{other}\n".encode()}


def test_a_reserved_port_is_not_in_use_until_a_server_listens_on_it() -> None:
    port = free_port()
    assert not is_in_use(port)
    with listener(port):
        assert is_in_use(port)
    assert not is_in_use(port)


@pytest.mark.parametrize("taken", ["port", "bus_port"])
def test_a_valkey_node_whose_port_is_taken_starts_on_another(node: ValkeyNode, taken: str) -> None:
    before = getattr(node, taken)
    with listener(before):
        node.start()
        assert getattr(node, taken) != before
        with node.client() as client:
            assert client.ping()


def test_the_server_of_another_process_is_not_taken_for_the_node(node: ValkeyNode, server_folder: Path) -> None:
    other = ValkeyNode(server_folder / "valkey-of-another-process")
    other.start()
    try:
        node.port = other.port
        node.start()
        assert node.is_running
        assert node.port != other.port
    finally:
        other.stop()


def test_a_valkey_cluster_forms_although_a_port_is_taken(server_folder: Path) -> None:
    valkey = EmbeddedValkey(server_folder / "valkey-cluster-with-a-taken-port", nodes=3)
    try:
        with listener(valkey.nodes[0].port), listener(valkey.nodes[2].bus_port):
            valkey.start()
            valkey.wait_until_formed()
    finally:
        valkey.stop()


def test_a_node_that_was_ready_keeps_its_port(node: ValkeyNode) -> None:
    """The clients know it; they would not find the node on another port."""
    node.start()
    node.stop()
    port = node.port
    with listener(port), pytest.raises(ServerDidNotStart, match="Valkey ended with status 1"):
        node.start()
    assert node.port == port
    node.start()
    assert node.port == port


def test_a_postgresql_whose_port_is_taken_starts_on_another(postgres: EmbeddedPostgres) -> None:
    before = postgres.port
    with listener(before):
        postgres.start()
        assert postgres.port != before
        assert f":{postgres.port}/" in postgres.dsn
        assert postgres.is_running
