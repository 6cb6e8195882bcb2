"""What the service is to cost, as ratios within one round, so that the machine cancels out."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.load import Measured

Round = Mapping[str, Measured]


@dataclass(frozen=True)
class Target:
    """A number that each round yields from the cases it needs, and what it may be at most, or at least."""

    title: str
    needs: tuple[str, ...]
    value: Callable[[Round], float]
    limit: float
    unit: str = "×"
    is_at_most: bool = True


@dataclass(frozen=True)
class Verdict:
    """What was measured for a target, in each round."""

    title: str
    limit: float
    unit: str
    is_at_most: bool
    values: Sequence[float]

    @property
    def middle(self) -> float:
        """The median of the rounds."""
        return median(self.values)

    @property
    def is_met(self) -> bool:
        """Whether the median is within the limit."""
        return self.middle <= self.limit if self.is_at_most else self.middle >= self.limit


def verdicts(targets: Sequence[Target], rounds: Sequence[Round]) -> list[Verdict]:
    """Return what came of the targets all of whose cases were measured."""
    judged = []
    for target in targets:
        values = [target.value(each) for each in rounds if all(name in each for name in target.needs)]
        if values and not any(map(math.isnan, values)):
            judged.append(Verdict(target.title, target.limit, target.unit, target.is_at_most, values))
    return judged


def _cpu(title: str, case: str, base: str, limit: float) -> Target:
    return Target(title, (case, base), lambda each: each[case].cpu_us / each[base].cpu_us, limit)


def _whole_cpu(title: str, case: str, base: str, limit: float) -> Target:
    """Compare with PostgreSQL's part, which is where a page may grow dearer."""
    return Target(title, (case, base), lambda each: _whole(each[case]) / _whole(each[base]), limit)


def _whole(measured: Measured) -> float:
    return measured.cpu_us + measured.database_cpu_us


def _p99(title: str, case: str, limit_ms: float) -> Target:
    return Target(title, (case,), lambda each: each[case].p99_ms, limit_ms, "ms")


TARGETS: Final = (
    _cpu("cached ticket without authentication and log lines : bare application, CPU", "hit-plain", "bare", 5),
    _cpu("cached ticket with everything on : bare application, CPU", "hit", "bare", 6.5),
    _cpu("304 : 200 of a cached ticket, CPU", "not-modified", "hit", 1),
    _cpu("ticket not cached : bare application, CPU", "miss", "bare", 20),
    _cpu("POST ticket : POST that stores nothing, CPU", "create", "validated", 4),
    _cpu("POST comment : POST that stores nothing, CPU", "comment", "validated", 8),
    _cpu("PATCH ticket : POST that stores nothing, CPU", "change", "validated", 8),
    Target(
        "POST ticket with two workers : pgbench, requests per second",
        ("create-2", "pgbench"),
        lambda each: each["create-2"].per_second / each["pgbench"].per_second,
        0.25,
        is_at_most=False,
    ),
    _cpu("first page of 50 : serializing its rows alone, CPU", "page", "rows", 3),
    Target(
        "each of its rows but the first : serializing it alone, CPU",
        ("page", "page-1", "rows"),
        lambda each: (each["page"].cpu_us - each["page-1"].cpu_us) / 49 / (each["rows"].cpu_us / 50),
        3,
    ),
    _whole_cpu("first page, many tickets : 10,000, CPU with PostgreSQL's", "large-page", "page", 1.5),
    _whole_cpu(
        "10,000 rows deep, many tickets : first page of 10,000, CPU with PostgreSQL's", "deep-page", "page", 1.5
    ),
    _p99("search for ordinary words, 8 connections, p99", "search", 100),
    _p99("search for the commonest words, p99: given up after SEARCH_TIMEOUT", "search-common", 2_200),
)
MEMORY_LIMIT_MB: Final = 120
START_LIMIT_S: Final = 3
