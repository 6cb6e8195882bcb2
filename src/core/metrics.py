"""The metrics of the service, and their exposition at /metrics.

With several workers, the processes share their values through files in the folder that PROMETHEUS_MULTIPROC_DIR names
(see `core.multiprocess_metrics`), so each of them exposes the sum. Without the folder, a process exposes its own
values. prometheus-client reads the variable when it is first imported.
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

from core import multiprocess_metrics

# The shared files contain no creation times, so only a single process could expose them.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY: Final = CollectorRegistry()
# From a cached lookup, which takes one millisecond, to the timeouts of the database.
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

request_seconds: Final = Histogram(
    "tickets_http_request_duration_seconds",
    "Time from the arrival of an HTTP request to the end of its response, in seconds, by method, route and status. "
    "The route is the path template. The status is 499 if the client closed the connection first.",
    ["method", "route", "status"],
    buckets=SECONDS,
    registry=REGISTRY,
)
requests_in_flight: Final = Gauge(
    "tickets_http_requests_in_flight",
    "HTTP requests in progress; updated every second.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
rate_limited_requests: Final = Counter(
    "tickets_rate_limited_requests_total",
    "HTTP requests refused (429) because the client exceeded the rate limit.",
    registry=REGISTRY,
)
failed_authentications: Final = Counter(
    "tickets_failed_authentications_total",
    "HTTP requests refused because their credentials were invalid, expired or revoked, "
    "or because their address had too many failed authentications.",
    registry=REGISTRY,
)
tickets_created: Final = Counter("tickets_created_total", "Tickets created.", registry=REGISTRY)
transitions: Final = Counter(
    "tickets_transitions_total",
    "Committed status transitions of tickets, by the status before (from) and after (to).",
    ["from", "to"],
    registry=REGISTRY,
)
tickets_by_status: Final = Gauge(
    "tickets_by_status",
    "Tickets in the database at the last count, by status.",
    ["status"],
    multiprocess_mode="livemostrecent",
    registry=REGISTRY,
)
tickets_counted_at: Final = Gauge(
    "tickets_counted_timestamp_seconds",
    "Time of the last count of tickets, in seconds since the Unix epoch.",
    multiprocess_mode="livemostrecent",
    registry=REGISTRY,
)
cache_events: Final = Counter(
    "tickets_cache_events_total",
    "Events of the ticket cache, by event, for example hits, fills or failed_invalidations.",
    ["event"],
    registry=REGISTRY,
)
breaker_open: Final = Gauge(
    "tickets_cache_breaker_open",
    "Worker processes that send no requests to a Redis node because their circuit breaker for it is open, "
    "by the shard of the node.",
    ["shard"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
pending_invalidations: Final = Gauge(
    "tickets_cache_invalidations_owed",
    "Cache invalidations that Redis has not confirmed yet.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
pool_size: Final = Gauge(
    "tickets_database_pool_size",
    "Maximum number of PostgreSQL connections, by pool.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
pool_in_use: Final = Gauge(
    "tickets_database_pool_in_use",
    "PostgreSQL connections in use, by pool.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
pool_waiting: Final = Gauge(
    "tickets_database_pool_waiting",
    "Operations waiting for a PostgreSQL connection, by pool.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
background_failures: Final = Counter(
    "tickets_background_failures_total",
    "Failures of background work, by work; it is restarted after each.",
    ["work"],
    registry=REGISTRY,
)


def exposition() -> bytes:
    """Return all metrics in the text format of Prometheus."""
    folder = multiprocess_metrics.shared()
    exposed = CollectorRegistry()
    if folder is None:
        exposed.register(_Combined([REGISTRY, _Processes([os.getpid()])]))
    else:
        live = multiprocess_metrics.live_workers(folder)
        shared = MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]
        exposed.register(_Combined([shared, _Processes(live)]))
    return generate_latest(exposed)


def join() -> None:
    """Register this process as a live worker if the worker processes share their metrics."""
    folder = multiprocess_metrics.shared()
    if folder is not None:
        multiprocess_metrics.register_worker(folder)


class _Combined(Collector):
    """The metrics of several collectors."""

    def __init__(self, collectors: Iterable[Collector]) -> None:
        self._collectors = collectors

    def collect(self) -> Iterator[Metric]:
        for collector in self._collectors:
            yield from collector.collect()


class _Processes(Collector):
    """CPU, memory and file descriptors of each process; the label `worker` is the process id."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = pids

    def collect(self) -> Iterable[Metric]:
        metrics: dict[str, Metric] = {}
        for pid in self._pids:
            for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                merged = metrics.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                for sample in metric.samples:
                    merged.add_sample(sample.name, {**sample.labels, "worker": str(pid)}, sample.value)
        return metrics.values()
