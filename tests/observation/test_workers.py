"""The shared metrics of two workers, and the metrics of a worker that dies."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from core.settings import Settings
from observation.samples import Samples, metrics_of, value
from support.factories import a_ticket
from support.service_process import ServiceProcess

COUNT = "tickets_http_request_duration_seconds_count"
REQUESTS = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for temporary files of the service."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def service(settings: Settings, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    left_behind = folder / "tickets-metrics-left-behind"
    left_behind.mkdir()
    log = tmp_path_factory.mktemp("workers") / "log"
    with ServiceProcess(log, settings, WORKERS="2", TMPDIR=str(folder)) as running:
        eventually(running, lambda samples: len(workers(samples)) == 2)
        yield running


def workers(samples: Samples) -> set[str]:
    return {dict(labels)["worker"] for name, labels in samples if name == "process_resident_memory_bytes"}


def eventually(service: ServiceProcess, holds: Callable[[Samples], bool]) -> Samples:
    deadline = time.monotonic() + 15
    while not holds(samples := metrics_of(service)):
        assert time.monotonic() < deadline, samples
        time.sleep(0.1)
    return samples


def test_each_worker_exposes_the_requests_of_all_workers(service: ServiceProcess) -> None:
    for _ in range(REQUESTS):
        assert service.request("GET", "/workflow").status == 200
    counts = [value(metrics_of(service), COUNT, route="/workflow", method="GET", status="200") for _ in range(10)]
    assert counts == [REQUESTS] * 10
    assert len({line["pid"] for line in service.access_log()}) == 2


def test_gauges_are_summed_over_both_workers(service: ServiceProcess) -> None:
    samples = metrics_of(service)
    assert value(samples, "tickets_database_pool_size", pool="main") == 20
    assert value(samples, "tickets_database_pool_size", pool="search") == 4
    assert value(samples, "tickets_cache_breaker_open") == 0


def test_one_worker_counts_the_tickets(service: ServiceProcess) -> None:
    service.request("POST", "/tickets", a_ticket())
    samples = eventually(service, lambda samples: value(samples, "tickets_counted_timestamp_seconds") > 0)
    statuses = {dict(labels)["status"] for name, labels in samples if name == "tickets_by_status"}
    assert statuses == {"open", "answered", "awaiting_reply", "closed"}
    assert [value(metrics_of(service), "tickets_counted_timestamp_seconds") for _ in range(10)] == [
        value(samples, "tickets_counted_timestamp_seconds")
    ] * 10


def test_the_counters_of_a_dead_worker_stay_and_its_gauges_disappear(service: ServiceProcess) -> None:
    before = metrics_of(service)
    victim = int(min(workers(before)))
    assert psutil.Process(service.process.pid) in psutil.Process(victim).parents()
    os.kill(victim, signal.SIGKILL)
    after = eventually(service, lambda samples: str(victim) not in workers(samples) and len(workers(samples)) == 2)
    assert value(after, COUNT, route="/workflow") == value(before, COUNT, route="/workflow")
    eventually(service, lambda samples: value(samples, "tickets_database_pool_size", pool="main") == 20)


def test_a_service_removes_abandoned_folders_and_no_folder_in_use(
    service: ServiceProcess, settings: Settings, folder: Path, tmp_path: Path
) -> None:
    (own,) = folder.glob("tickets-metrics-*")
    with ServiceProcess(tmp_path / "log", settings, WORKERS="2", TMPDIR=str(folder)) as another:
        assert own in folder.glob("tickets-metrics-*")
        assert value(metrics_of(another), COUNT, route="/workflow") == 0
    assert value(metrics_of(service), COUNT, route="/workflow") == REQUESTS
