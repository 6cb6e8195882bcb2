"""The worker processes of a service, as its metrics name them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from core.settings import Settings
from observation.samples import Samples, metrics_of
from support.service_process import SERVE, ServiceProcess

TIMEOUT_S = 30


class ServiceWithoutOutput(ServiceProcess):
    """A service whose output may be lost: only its readiness shows that it has started."""

    def start(self) -> None:
        self.launch()
        deadline = time.monotonic() + TIMEOUT_S
        while self.status("/readyz") != 200:
            assert self.is_running, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)


@contextmanager
def started(
    settings: Settings, log: Path, *, command: Sequence[str | Path] = SERVE, **environment: str
) -> Iterator[ServiceProcess]:
    with ServiceWithoutOutput(log, settings, command=command, **environment) as service:
        yield service


def workers(samples: Samples) -> set[str]:
    return {dict(labels)["worker"] for name, labels in samples if name == "process_resident_memory_bytes"}


def eventually(service: ServiceProcess, holds: Callable[[Samples], bool]) -> Samples:
    deadline = time.monotonic() + TIMEOUT_S
    while not holds(samples := metrics_of(service)):
        assert time.monotonic() < deadline, samples
        time.sleep(0.1)
    return samples


@contextmanager
def only(worker: str, service: ServiceProcess) -> Iterator[None]:
    """Freeze the other workers, so that this one accepts all connections. uvicorn kills them after five seconds."""
    others = [psutil.Process(int(other)) for other in workers(metrics_of(service)) - {worker}]
    for other in others:
        other.suspend()
    try:
        yield
    finally:
        for other in others:
            other.resume()
