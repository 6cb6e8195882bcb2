"""The targets: limits of ratios within a round, so that the speed of the machine cancels out."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.load import Measured

Round = Mapping[str, Measured]


@dataclass(frozen=True)
class Target:
    """A value computed from the cases of a round, and its upper limit, or lower limit without `is_at_most`."""

    title: str
    needs: tuple[str, ...]
    value: Callable[[Round], float]
    limit: float
    unit: str = "×"
    is_at_most: bool = True


@dataclass(frozen=True)
class Verdict:
    """The values of a target, one per round."""

    title: str
    limit: float
    unit: str
    is_at_most: bool
    values: Sequence[float]

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool:
        """Whether the median is within the limit."""
        return self.median <= self.limit if self.is_at_most else self.median >= self.limit


def verdicts(targets: Sequence[Target], rounds: Sequence[Round]) -> list[Verdict]:
    """Return the verdicts of the targets whose cases were all measured."""
    found = []
    for target in targets:
        values = [target.value(each) for each in rounds if all(name in each for name in target.needs)]
        if values and not any(map(math.isnan, values)):
            found.append(Verdict(target.title, target.limit, target.unit, target.is_at_most, values))
    return found


def _cpu(title: str, case: str, base: str, limit: float) -> Target:
    return Target(title, (case, base), lambda each: each[case].cpu_us / each[base].cpu_us, limit)


def _total_cpu(title: str, case: str, base: str, limit: float) -> Target:
    """Compare the CPU time including PostgreSQL's, where the cost of a page may grow."""
    return Target(title, (case, base), lambda each: _total(each[case]) / _total(each[base]), limit)


def _total(measured: Measured) -> float:
    return measured.cpu_us + measured.database_cpu_us


def _p99(title: str, case: str, limit_ms: float) -> Target:
    return Target(title, (case,), lambda each: each[case].p99_ms, limit_ms, "ms")


TARGETS: Final = (
    _cpu("cached ticket without authentication and log lines : bare application, CPU", "hit-plain", "bare", 5),
    _cpu("cached ticket with authentication and log lines : bare application, CPU", "hit", "bare", 4),
    _cpu("304 : 200 of a cached ticket, CPU", "not-modified", "hit", 1),
    _cpu("ticket not cached : bare application, CPU", "miss", "bare", 20),
    _cpu("POST ticket : POST that stores nothing, CPU", "create", "validated", 4),
    _cpu("POST comment : POST that stores nothing, CPU", "comment", "validated", 3.5),
    _cpu("PATCH ticket : POST that stores nothing, CPU", "change", "validated", 3.5),
    Target("POST comment, CPU of PostgreSQL", ("comment",), lambda each: each["comment"].database_cpu_us, 300, "µs"),
    _total_cpu("POST comment after 2,700 others : after a few, CPU with PostgreSQL's", "comment-long", "comment", 1.15),
    _total_cpu("POST comment : POST ticket, CPU with PostgreSQL's", "comment", "create", 1.3),
    Target(
        "POST comment with one connection, p99 : p50",
        ("comment-one",),
        lambda each: each["comment-one"].p99_ms / each["comment-one"].p50_ms,
        3,
    ),
    Target(
        "POST ticket with two workers : pgbench, requests per second",
        ("create-2", "pgbench"),
        lambda each: each["create-2"].per_second / each["pgbench"].per_second,
        0.4,
        is_at_most=False,
    ),
    _cpu("first page of 50 : serialising its rows alone, CPU", "page", "rows", 2.5),
    Target(
        "each further row of the page : serialising it alone, CPU",
        ("page", "page-1", "rows"),
        lambda each: (each["page"].cpu_us - each["page-1"].cpu_us) / 49 / (each["rows"].cpu_us / 50),
        3,
    ),
    _cpu("desk: list of 50 : the same page as JSON, CPU", "desk-list", "page", 3),
    _p99("desk: list of 50 of many tickets, one connection, p99", "desk-large-list", 50),
    _total_cpu("first page of many tickets : of 10,000 tickets, CPU with PostgreSQL's", "large-page", "page", 1.5),
    _total_cpu(
        "page after 10,000 of many tickets : first page of 10,000, CPU with PostgreSQL's",
        "deep-page",
        "page",
        1.5,
    ),
    *(
        _total_cpu(f"{title} : first page without a filter, CPU with PostgreSQL's", case, "large-page", 1.5)
        for case, title in (
            ("mine", "first page of an agent's open tickets"),
            ("mine-deep", "deep page of an agent's open tickets"),
            ("tagged", "first page of a tag"),
            ("tagged-deep", "deep page of a tag"),
            ("urgent", "first page of the urgent tickets"),
            ("urgent-deep", "deep page of the urgent tickets"),
        )
    ),
    _p99("search for ordinary words, 8 connections, p99", "search", 100),
    _p99("search for the most frequent words, p99 (cancelled after SEARCH_TIMEOUT)", "search-common", 2_200),
)
MEMORY_LIMIT_MB: Final = 80
ALL_MEMORY_LIMIT_MB: Final = 110
START_LIMIT_S: Final = 0.9
EMBEDDED_START_LIMIT_S: Final = 1.2
