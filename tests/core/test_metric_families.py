"""The metrics of several processes are merged without a loss."""

import json

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from core.metric_families import Family, cumulative, exposition, families_of, merge


class Process:
    """The metrics of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.counter = Counter("requests_total", "Requests.", ["route"], registry=self.registry)
        self.gauge = Gauge("in_flight", "Requests in progress.", registry=self.registry)
        self.counted = Gauge("tickets", "Tickets.", ["status"], registry=self.registry)
        self.seconds = Histogram("seconds", "Durations.", ["route"], buckets=(0.1, 1), registry=self.registry)

    def families(self) -> list[Family]:
        """Return the metrics as they arrive in another process."""
        received: list[Family] = json.loads(json.dumps(families_of(self.registry)))
        return received


def lines(families: list[Family]) -> list[str]:
    return [line for line in exposition(families, []).decode().splitlines() if not line.startswith("#")]


def test_the_families_of_one_process_are_exposed_as_by_the_library() -> None:
    process = Process()
    process.counter.labels('/a"b\\').inc(3)
    process.seconds.labels("/").observe(0.5)
    assert exposition(process.families(), []) == generate_latest(process.registry)
    assert exposition(merge([process.families()]), []) == generate_latest(process.registry)


def test_samples_with_equal_names_and_labels_are_added_up() -> None:
    one, other = Process(), Process()
    for process, route, seconds in [(one, "/a", 0.05), (one, "/b", 0.5), (other, "/b", 5), (other, "/c", 0.05)]:
        process.counter.labels(route).inc()
        process.seconds.labels(route).observe(seconds)
        process.gauge.inc()
    merged = lines(merge([one.families(), other.families()]))
    assert 'requests_total{route="/a"} 1.0' in merged
    assert 'requests_total{route="/b"} 2.0' in merged
    assert 'requests_total{route="/c"} 1.0' in merged
    assert "in_flight 4.0" in merged
    assert [line for line in merged if line.startswith("seconds_bucket") and '"/b"' in line] == [
        'seconds_bucket{le="0.1",route="/b"} 0.0',
        'seconds_bucket{le="1.0",route="/b"} 1.0',
        'seconds_bucket{le="+Inf",route="/b"} 2.0',
    ]


def test_a_merge_leaves_its_parts_unchanged() -> None:
    process = Process()
    process.counter.labels("/").inc()
    families = process.families()
    assert merge([families, families]) != families
    assert families == process.families()


def test_what_only_the_first_knows_is_not_added_up() -> None:
    first, second, third = Process(), Process(), Process()
    second.counted.labels("open").set(5)
    third.counted.labels("open").set(4)
    processes = [first.families(), second.families(), third.families()]
    assert 'tickets{status="open"} 5.0' in lines(merge(processes, of_the_first=frozenset({"tickets"})))


def test_of_a_process_that_ended_only_counters_and_histograms_remain() -> None:
    process = Process()
    process.gauge.set(1)
    process.counted.labels("open").set(4)
    assert {family["name"] for family in cumulative(process.families())} == {"requests", "seconds"}
