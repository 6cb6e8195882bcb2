"""What the log costs a write: a service that publishes, and one with WORK=off whose events nobody publishes."""

import json
from collections.abc import Sequence
from typing import Final

from bench.feed.stage import Results, Stage
from bench.load import LoadFailed, Measured, Request, load
from bench.server import Server

LIMIT: Final = 1.05
_NEW: Final = {"subject": "ticket {n}", "text": "It started after lunch. " * 8, "email": "alice@example.com"}
# Odd ids, whose tickets are open.
_CHANGED: Final = range(7_001, 9_901, 2)
_OPERATIONS: Final = (
    ("POST ticket", "201", [Request("POST", "/tickets", json.dumps(_NEW))]),
    ("PATCH ticket", "200", [Request("PATCH", f"/tickets/{each}", '{"subject": "changed {n}"}') for each in _CHANGED]),
)
_NUMBERS_PER_RUN: Final = 1_000_000


def measure(stage: Stage, results: Results) -> None:
    """Measure both services alternately: on, off, off, on in one round, and the reverse in the next."""
    seconds = 1 if stage.is_quick else 5
    with (
        stage.servers.copied(stage.template) as on_dsn,
        stage.servers.copied(stage.template) as off_dsn,
        stage.serving(on_dsn) as on,
        stage.serving(off_dsn, WORK="off") as off,
    ):
        number = 0
        for each in range(-1, stage.rounds):  # the first round warms up
            for name, expected, requests in _OPERATIONS:
                order = [on, off, off, on] if each % 2 else [off, on, on, off]
                runs: dict[int, list[Measured]] = {id(on): [], id(off): []}
                for server in order:
                    number += _NUMBERS_PER_RUN
                    runs[id(server)].append(_run(server, requests, expected, seconds, number))
                if each >= 0:
                    _add(stage, results, name, runs[id(on)], runs[id(off)])


def _run(server: Server, requests: Sequence[Request], expected: str, seconds: int, number: int) -> Measured:
    measured = load(server, requests, seconds=seconds, number=number)
    if measured.share_of(expected) < 1:
        raise LoadFailed(f"{requests[0].path}: {measured.responses}, where {expected} was expected")
    return measured


def _add(stage: Stage, results: Results, name: str, on: Sequence[Measured], off: Sequence[Measured]) -> None:
    cpu_on, cpu_off = _cpu_us(on), _cpu_us(off)
    time_on, time_off = _time_us(on), _time_us(off)
    results.add(f"{name}, log on : off, CPU with PostgreSQL's", cpu_on / cpu_off, limit=LIMIT)
    results.add(f"{name}, log on : off, time", time_on / time_off, limit=LIMIT)
    for state, cpu, time in (("on", cpu_on, time_on), ("off", cpu_off, time_off)):
        results.note(f"{name}, log {state}: CPU with PostgreSQL's", cpu, "µs")
        results.note(f"{name}, log {state}: requests per second", 1e6 / time, "")
    stage.report(f"{name}: CPU {cpu_on:.0f} : {cpu_off:.0f} µs, time {time_on:.0f} : {time_off:.0f} µs")


def _cpu_us(runs: Sequence[Measured]) -> float:
    return sum((run.cpu_us + run.database_cpu_us) * run.requests for run in runs) / sum(run.requests for run in runs)


def _time_us(runs: Sequence[Measured]) -> float:
    """Return the time of the server for a request, with all connections in use."""
    return sum(1e6 / run.per_second for run in runs) / len(runs)
