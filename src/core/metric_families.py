"""Families of metrics as values: taken from a registry, sent between processes, added up, and exposed as text."""

from collections.abc import Iterable
from typing import Final, TypedDict

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

_Sample = tuple[str, dict[str, str], float]

# A gauge describes a process that lives; these remain true after its end.
_CUMULATIVE: Final = frozenset({"counter", "histogram"})


class Family(TypedDict):
    """A metric and its samples: their names, labels and values. It consists of JSON types."""

    name: str
    documentation: str
    type: str
    samples: list[_Sample]


def families_of(collector: Collector) -> list[Family]:
    """Return the current metrics of a collector."""
    return [
        Family(
            name=metric.name,
            documentation=metric.documentation,
            type=metric.type,
            samples=[(sample.name, sample.labels, sample.value) for sample in metric.samples],
        )
        for metric in collector.collect()
    ]


def cumulative(families: Iterable[Family]) -> list[Family]:
    """Return the counters and histograms."""
    return [family for family in families if family["type"] in _CUMULATIVE]


def merge(processes: Iterable[Iterable[Family]], *, of_the_first: frozenset[str] = frozenset()) -> list[Family]:
    """Return the sums of several processes, by the name and labels of each sample.

    The families named by `of_the_first` are not added up: they are those of the first process that has samples of them.
    """
    merged: dict[str, Family] = {}
    values: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for families in processes:
        for family in families:
            found = merged.setdefault(family["name"], Family({**family, "samples": []}))
            if found["samples"] and family["name"] in of_the_first:
                continue
            for name, labels, value in family["samples"]:
                key = name, tuple(labels.items())
                if key not in values:
                    found["samples"].append((name, labels, 0))
                values[key] = values.get(key, 0) + value
    for family in merged.values():
        family["samples"] = [
            (name, labels, values[name, tuple(labels.items())]) for name, labels, _ in family["samples"]
        ]
    return list(merged.values())


def exposition(families: Iterable[Family], pids: Iterable[int]) -> bytes:
    """Return the text format of Prometheus for these metrics, and for the use of resources by these processes."""
    metrics = []
    for family in families:
        metric = Metric(family["name"], family["documentation"], family["type"])
        for name, labels, value in family["samples"]:
            metric.add_sample(name, labels, value)
        metrics.append(metric)
    return generate_latest(_Collected([*metrics, *_processes(pids)]))


def _processes(pids: Iterable[int]) -> Iterable[Metric]:
    """Return CPU, memory and file descriptors of each process; the label `worker` is the process id."""
    metrics: dict[str, Metric] = {}
    for pid in pids:
        for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
            merged = metrics.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
            for sample in metric.samples:
                merged.add_sample(sample.name, {**sample.labels, "worker": str(pid)}, sample.value)
    return metrics.values()


class _Collected(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics
