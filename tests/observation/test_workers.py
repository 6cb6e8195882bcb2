"""The shared metrics of two workers, and the metrics of a worker that dies."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.settings import Settings
from observation.samples import Samples, metrics_of, value
from observation.workers import eventually, only, started, workers
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
    said = tmp_path_factory.mktemp("workers") / "said"
    with started(settings, said, WORKERS="2", TMPDIR=str(folder)) as running:
        eventually(running, lambda samples: len(workers(samples)) == 2)
        yield running


def test_whichever_worker_answers_tells_of_all_requests(service: ServiceProcess) -> None:
    for worker in workers(metrics_of(service)):
        with only(worker, service):
            for _ in range(REQUESTS // 2):
                assert service.request("GET", "/workflow").status == 200
    told = [value(metrics_of(service), COUNT, route="/workflow", method="GET", status="200") for _ in range(10)]
    assert told == [REQUESTS] * 10
    eventually(service, lambda _: len({line["pid"] for line in service.access_log()}) == 2)


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
    counted = value(before, COUNT)

    def is_replaced(samples: Samples) -> bool:
        nonlocal counted
        assert value(samples, COUNT) >= counted
        counted = value(samples, COUNT)
        return str(victim) not in workers(samples) and len(workers(samples)) == 2

    after = eventually(service, is_replaced)
    assert value(after, COUNT, route="/workflow") == value(before, COUNT, route="/workflow")
    eventually(service, lambda samples: value(samples, "tickets_database_pool_size", pool="main") == 20)


def test_a_worker_that_is_frozen_is_counted_with_its_last_values(service: ServiceProcess) -> None:
    for worker in workers(metrics_of(service)):
        with only(worker, service):
            samples = metrics_of(service)
        assert value(samples, COUNT, route="/workflow") == REQUESTS
        assert value(samples, "tickets_database_pool_size", pool="main") == 20


def test_services_on_one_machine_count_apart(service: ServiceProcess, settings: Settings, tmp_path: Path) -> None:
    with started(settings, tmp_path / "said", WORKERS="2") as another:
        assert value(metrics_of(another), COUNT, route="/workflow") == 0
    assert [line for line in another.log_lines() if line["level"] not in {"info", "debug"}] == []
    assert value(metrics_of(service), COUNT, route="/workflow") == REQUESTS


def test_no_temporary_file_is_made(service: ServiceProcess, folder: Path) -> None:
    assert service.request("GET", "/metrics").status == 200
    assert list(folder.iterdir()) == []
