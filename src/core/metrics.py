"""Everything that is counted for operators, and how it is told at /metrics.

With several workers, the processes share their counts through files in the folder that PROMETHEUS_MULTIPROC_DIR names
(see `core.multiprocess_metrics`), so that each of them reports the sum. Without the folder a process reports its own
counts. prometheus-client reads the variable when it is first imported.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from core import multiprocess_metrics as metrics_folder

# Files know none, so that they would be told by one process and not by several.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY: Final = CollectorRegistry()
# From a cached lookup, which takes a millisecond, to what the database's timeouts let through.
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

request_seconds: Final = Histogram(
    "tickets_http_request_duration_seconds",
    "How long requests took until their answer was complete; the count is the number of requests.",
    ["method", "route", "status"],
    buckets=SECONDS,
    registry=REGISTRY,
)
requests_in_flight: Final = Gauge(
    "tickets_http_requests_in_flight",
    "Requests that are being answered, told once a second.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
rate_limited_requests: Final = Counter(
    "tickets_rate_limited_requests_total", "Requests refused because their sender sent too many.", registry=REGISTRY
)
failed_authentications: Final = Counter(
    "tickets_failed_authentications_total",
    "Requests whose credentials were wrong, expired or revoked.",
    registry=REGISTRY,
)
tickets_created: Final = Counter("tickets_created_total", "Tickets opened.", registry=REGISTRY)
transitions: Final = Counter(
    "tickets_transitions_total", "Committed transitions, by edge.", ["from", "to"], registry=REGISTRY
)
tickets_by_status: Final = Gauge(
    "tickets_by_status",
    "Tickets in each status when they were last counted.",
    ["status"],
    multiprocess_mode="livemostrecent",
    registry=REGISTRY,
)
tickets_counted_at: Final = Gauge(
    "tickets_counted_timestamp_seconds",
    "When the tickets were last counted.",
    multiprocess_mode="livemostrecent",
    registry=REGISTRY,
)
cache_events: Final = Counter(
    "tickets_cache_events_total", "What the cache did, by event.", ["event"], registry=REGISTRY
)
breaker_open: Final = Gauge(
    "tickets_cache_breaker_open",
    "Processes that leave a Redis node alone because it did not answer.",
    ["shard"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
pending_invalidations: Final = Gauge(
    "tickets_cache_invalidations_owed",
    "Invalidations that Redis has not taken yet.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
pool_size: Final = Gauge(
    "tickets_database_pool_size",
    "Connections that a pool may have.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
pool_in_use: Final = Gauge(
    "tickets_database_pool_in_use",
    "Connections of a pool that are lent.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
pool_waiting: Final = Gauge(
    "tickets_database_pool_waiting",
    "Who waits for a connection of a pool.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)


def exposition() -> bytes:
    """Return everything counted, in the text format of Prometheus."""
    folder = metrics_folder.shared()
    told = CollectorRegistry()
    if folder is None:
        told.register(_Together([REGISTRY, _Processes([os.getpid()])]))
    else:
        living = metrics_folder.living_workers(folder)
        shared = MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]
        told.register(_Together([shared, _Processes(living)]))
    return generate_latest(told)


def join() -> None:
    """Take part in what the processes of this start count together, if they do."""
    folder = metrics_folder.shared()
    if folder is not None:
        metrics_folder.enter(folder)


class _Together(Collector):
    def __init__(self, collectors: Iterable[Collector]) -> None:
        self._collectors = collectors

    def collect(self) -> Iterator[Metric]:
        for collector in self._collectors:
            yield from collector.collect()


class _Processes(Collector):
    """What the kernel says of each process, told apart by the label `worker`."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = pids

    def collect(self) -> Iterable[Metric]:
        metrics: dict[str, Metric] = {}
        for pid in self._pids:
            for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                together = metrics.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                for sample in metric.samples:
                    together.add_sample(sample.name, {**sample.labels, "worker": str(pid)}, sample.value)
        return metrics.values()
