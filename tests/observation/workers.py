"""The worker processes of a service, as its metrics name them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from observation.processes import Running, Samples

TIMEOUT_S = 15


def workers(samples: Samples) -> set[str]:
    return {dict(labels)["worker"] for name, labels in samples if name == "process_resident_memory_bytes"}


def eventually(service: Running, holds: Callable[[Samples], bool]) -> Samples:
    deadline = time.monotonic() + TIMEOUT_S
    while not holds(samples := service.metrics()):
        assert time.monotonic() < deadline, samples
        time.sleep(0.1)
    return samples


@contextmanager
def only(worker: str, service: Running) -> Iterator[None]:
    """Freeze the other workers, so that this one accepts all connections. uvicorn kills them after five seconds."""
    others = [psutil.Process(int(other)) for other in workers(service.metrics()) - {worker}]
    for other in others:
        other.suspend()
    try:
        yield
    finally:
        for other in others:
            other.resume()
