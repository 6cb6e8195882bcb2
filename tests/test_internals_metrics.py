"""The internals of prometheus-client that the service relies on, tested as those in `test_internals.py`."""

import os

from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector


def test_prometheus_client_collects_the_metrics_of_another_process() -> None:
    """`core.metric_families` passes a function for the process id, and merges the samples under a label."""
    (memory,) = [
        metric
        for metric in ProcessCollector(pid=os.getppid, registry=None).collect()
        if metric.name == "process_resident_memory_bytes"
    ]
    merged = Metric(memory.name, memory.documentation, memory.type)
    merged.add_sample(memory.samples[0].name, {"worker": "1"}, memory.samples[0].value)
    assert merged.samples[0].value > 0
