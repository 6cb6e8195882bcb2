"""The internals of prometheus-client that the service relies on, tested as those in `test_internals.py`."""

import inspect
import os

from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.process_collector import ProcessCollector


def test_prometheus_client_collects_the_metrics_of_another_process() -> None:
    """`core.metrics` passes a function for the process id, and merges the samples under a label."""
    (memory,) = [
        metric
        for metric in ProcessCollector(pid=os.getppid, registry=None).collect()
        if metric.name == "process_resident_memory_bytes"
    ]
    merged = Metric(memory.name, memory.documentation, memory.type)
    merged.add_sample(memory.samples[0].name, {"worker": "1"}, memory.samples[0].value)
    assert merged.samples[0].value > 0


def test_prometheus_client_takes_the_folder_of_the_shared_metrics() -> None:
    """`core.metrics` and `core.multiprocess_metrics` pass it, in place of the environment variable."""
    assert list(inspect.signature(MultiProcessCollector.__init__).parameters)[1:3] == ["registry", "path"]
    assert list(inspect.signature(mark_process_dead).parameters)[:2] == ["pid", "path"]
