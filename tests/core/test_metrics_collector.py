"""The collector adds up what its workers send, whatever they do."""

import json
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from core.metrics_collector import MetricsCollector
from core.shared_metrics import GATHER, JOIN, LEADER, LENGTH_BYTES, socket_path

TIMEOUT_S = 10


@pytest.fixture
def collector() -> Iterator[MetricsCollector]:
    collector = MetricsCollector()
    collector.start()
    yield collector
    collector.close()


@pytest.fixture
def connected(collector: MetricsCollector) -> Iterator[Callable[[], "FakeWorker"]]:
    """Connects workers, and disconnects them at the end."""
    workers: list[FakeWorker] = []

    def connect_worker() -> FakeWorker:
        workers.append(FakeWorker(collector, pid=len(workers) + 1))
        return workers[-1]

    yield connect_worker
    for worker in workers:
        worker.end()


class FakeWorker:
    """A worker with one counter and one gauge, which responds when the test says so."""

    def __init__(self, collector: MetricsCollector, pid: int) -> None:
        self._pid = pid
        self._connection = connect(collector)
        self._connection.sendall(JOIN)

    def respond(self, value: int) -> bytes:
        """Wait for a request, send the metrics, and return the request."""
        request = self._connection.recv(1)
        self.send(value)
        return request

    def send(self, value: int) -> None:
        families = [
            {"name": name, "documentation": "", "type": kind, "samples": [[sample, {}, value]]}
            for name, kind, sample in [
                ("requests", "counter", "requests_total"),
                ("in_flight", "gauge", "in_flight"),
                ("tickets_counted_timestamp_seconds", "gauge", "tickets_counted_timestamp_seconds"),
            ]
        ]
        content = json.dumps({"pid": self._pid, "families": families}).encode()
        self._connection.sendall(len(content).to_bytes(LENGTH_BYTES) + content)

    def send_bytes(self, content: bytes) -> None:
        self._connection.sendall(content)

    def end(self) -> None:
        self._connection.close()


def connect(collector: MetricsCollector) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT_S)
    connection.connect(socket_path(collector.address))
    return connection


def gather(collector: MetricsCollector) -> str:
    with connect(collector) as connection:
        connection.sendall(GATHER)
        return b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()


def eventually(collector: MetricsCollector, holds: Callable[[str], bool]) -> str:
    deadline = time.monotonic() + TIMEOUT_S
    while not holds(text := gather(collector)):
        assert time.monotonic() < deadline, text
    return text


def test_the_counters_of_a_worker_that_ended_stay_and_its_gauges_go(
    collector: MetricsCollector, connected: Callable[[], FakeWorker]
) -> None:
    first, second = connected(), connected()
    first.respond(3)
    second.respond(4)
    text = eventually(collector, lambda text: "requests_total 7.0" in text)
    assert "in_flight 7.0" in text
    first.send(5)  # its final values
    first.end()
    text = eventually(collector, lambda text: "in_flight 4.0" in text)
    assert "requests_total 9.0" in text


def test_the_longest_connected_worker_is_the_leader(
    collector: MetricsCollector, connected: Callable[[], FakeWorker]
) -> None:
    first = connected()
    assert first.respond(30) == LEADER
    second = connected()
    assert second.respond(4) != LEADER
    text = eventually(collector, lambda text: "requests_total 34.0" in text)
    assert "tickets_counted_timestamp_seconds 30.0" in text
    first.end()
    deadline = time.monotonic() + TIMEOUT_S
    while second.respond(4) != LEADER:
        assert time.monotonic() < deadline
    eventually(collector, lambda text: "tickets_counted_timestamp_seconds 4.0" in text)


def test_a_worker_that_does_not_respond_delays_nothing_for_long(
    collector: MetricsCollector, connected: Callable[[], FakeWorker]
) -> None:
    frozen = connected()
    frozen.respond(3)
    for _ in range(3):
        assert "requests_total 3.0" in eventually(collector, lambda text: "requests_total" in text)


def test_a_worker_that_sends_nonsense_is_dropped(
    collector: MetricsCollector, connected: Callable[[], FakeWorker], caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = connected(), connected()
    bad.send_bytes((8).to_bytes(LENGTH_BYTES) + b"nonsense")
    good.respond(3)
    eventually(collector, lambda text: "requests_total 3.0" in text)
    assert "cannot collect the metrics of a worker" in caplog.messages


def test_a_worker_with_nothing_to_send_keeps_its_values(
    collector: MetricsCollector, connected: Callable[[], FakeWorker]
) -> None:
    worker = connected()
    worker.respond(3)
    worker.send_bytes(bytes(LENGTH_BYTES))
    eventually(collector, lambda text: "requests_total 3.0" in text)


def test_a_collector_that_was_not_started_can_be_closed() -> None:
    MetricsCollector().close()
