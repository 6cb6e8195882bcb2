"""Idle streams: their memory, and what they cost the lookups beside them."""

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from bench.feed.clients import request
from bench.feed.stage import Results, Stage
from bench.load import CONNECTIONS, LoadFailed, Measured, Request, load
from bench.responses import sample
from bench.server import Server

STREAMS: Final = 2_000
MEMORY_LIMIT_KIB: Final = 40
P99_LIMIT: Final = 1.5
_LOOKUPS: Final = [Request("GET", f"/tickets/{each}") for each in range(1, 201)]
# Both when every request waits for others, and when hardly any does.
_CONNECTIONS: Final = (CONNECTIONS, 4)
_SETTLE_S: Final = 3
_MIN_HITS: Final = 0.99
_ATTEMPTS: Final = 4


def measure(stage: Stage, results: Results) -> None:
    """In each round, a new process serves lookups without streams, with them, and without them again."""
    seconds = 2 if stage.is_quick else 5
    with stage.servers.copied(stage.template) as dsn:
        for _ in range(stage.rounds):
            with stage.serving(dsn, MAX_STREAMS=str(STREAMS + 10)) as server:
                _measure(stage, results, server, seconds)


def _measure(stage: Stage, results: Results, server: Server, seconds: int) -> None:
    sample(server, _LOOKUPS)
    _lookups(server, 1, CONNECTIONS)
    with _streams(server, 10):
        time.sleep(1)
    without = [[_lookups(server, seconds, connections) for connections in _CONNECTIONS]]
    before = max(server.worker_megabytes)
    with _streams(server, STREAMS):
        time.sleep(_SETTLE_S)
        each_kib = (max(server.worker_megabytes) - before) * 1e6 / 1024 / STREAMS
        idle_cpu = _idle_cpu(server, seconds)
        beside = [_lookups(server, seconds, connections) for connections in _CONNECTIONS]
    time.sleep(_SETTLE_S)
    without.append([_lookups(server, seconds, connections) for connections in _CONNECTIONS])
    results.add(f"memory of each of {STREAMS:,} idle streams", each_kib, limit=MEMORY_LIMIT_KIB, unit="KiB")
    results.note(f"CPU of {STREAMS:,} idle streams", 100 * idle_cpu, "%")
    for run, first, last in zip(beside, *without, strict=True):
        _add(stage, results, run, (first, last))
    stage.report(f"{STREAMS:,} idle streams: {each_kib:.1f} KiB each, {100 * idle_cpu:.0f} % CPU")


def _add(
    stage: Stage, results: Results, beside: tuple[int, Measured], without: tuple[tuple[int, Measured], ...]
) -> None:
    connections, run = beside
    p99_ms = sum(each.p99_ms for _, each in without) / len(without)
    title = f"cached lookup, {connections} connections"
    results.add(f"{title}, beside idle streams : without, p99", run.p99_ms / p99_ms, limit=P99_LIMIT)
    results.note(f"{title}: p99 without streams", p99_ms, "ms")
    results.note(f"{title}: p99 beside {STREAMS:,} idle streams", run.p99_ms, "ms")
    stage.report(f"{title}: p99 {run.p99_ms:.2f} : {p99_ms:.2f} ms")


def _lookups(server: Server, seconds: int, connections: int) -> tuple[int, Measured]:
    """Measure, and again if the cache was not used: on a busy machine its circuit breaker may open for a while."""
    for _ in range(_ATTEMPTS):
        measured = load(server, _LOOKUPS, seconds=seconds, number=0, connections=connections)
        if measured.share_of("200 hit") >= _MIN_HITS:
            return connections, measured
        sample(server, _LOOKUPS)
    raise LoadFailed(f"cached lookups: {measured.responses}")


def _idle_cpu(server: Server, seconds: float) -> float:
    """Return the share of one core that the server takes."""
    before = server.cpu_s
    time.sleep(seconds)
    return (server.cpu_s - before) / seconds


@contextmanager
def _streams(server: Server, count: int) -> Iterator[None]:
    """Open streams. Nobody reads them: what the service writes to idle ones fits into the buffers of the sockets."""
    content = request(server, "GET", "/events?after=now", accept="text/event-stream")
    with ExitStack() as stack:
        for _ in range(count):
            stream = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
            stream.sendall(content)
            _wait_for_begin(stream)
        yield


def _wait_for_begin(stream: socket.socket) -> None:
    received = b""
    while b"retry:" not in received:
        part = stream.recv(4_096)
        received += part
        if not part or not received.startswith(b"HTTP/1.1 %d" % http.client.OK):
            raise LoadFailed(f"a stream did not begin: {received!r}")
