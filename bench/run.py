"""Measure the cost of the service, compared with the cost of its parts: `[--quick] [--only NAME…] [--tickets N]`.

It starts all servers on the loopback address, and stops them at the end. All targets are ratios of values of the same
round. The exit status is 1 if a response was wrong or missing; a missed target is only reported.
"""

import argparse
import logging
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Replaces this folder, which Python inserts when a file is run by its path.
sys.path[:1] = [str(ROOT), str(ROOT / "src")]

from bench.cases import LONG, LONG_COMMENTS, WORKERS, Case, Parts, cases  # noqa: E402 - as above
from bench.chart import chart  # noqa: E402 - as above
from bench.load import LoadFailed, Measured, require_wrk  # noqa: E402 - as above
from bench.report import cases_table, targets_table  # noqa: E402 - as above
from bench.responses import WrongResponse  # noqa: E402 - only found on the path above
from bench.server import Server, ServerFailed  # noqa: E402 - as above
from bench.servers import Servers  # noqa: E402 - as above
from bench.targets import (  # noqa: E402 - as above
    ALL_MEMORY_LIMIT_MB,
    EMBEDDED_START_LIMIT_S,
    MEMORY_LIMIT_MB,
    START_LIMIT_S,
    TARGETS,
    Round,
    Verdict,
    verdicts,
)
from db.embedded import ServerDidNotStart  # noqa: E402 - as above

_FEW_TICKETS = 10_000
_MANY_TICKETS = 1_000_000
_NUMBERS_PER_RUN = 1_000_000
_BEGAN_AT = time.monotonic()
_PLAIN_SETTINGS = {"ALLOW_ANONYMOUS": "true", "LOG_LEVEL": "warning"}


def main() -> int:
    """Run the benchmark, print the tables, and return the exit status."""
    options = _options()
    require_wrk()
    logging.disable(logging.INFO)  # Alembic logs each migration
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.default_int_handler)
    try:
        _run(options)
    except KeyboardInterrupt:
        _report("stopped")
        return 130
    except (LoadFailed, WrongResponse, ServerFailed, ServerDidNotStart) as reason:
        _report(f"bench: {reason}")
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short runs with 10,000 tickets, about a minute")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="run these cases and their bases of comparison")
    parser.add_argument(
        "--tickets", type=int, default=_MANY_TICKETS, help="the large number of tickets (default %(default)s)"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep the large database in this folder for the next run"
    )
    parser.add_argument("--rounds", type=int, help="the number of rounds (default 5, quick 3)")
    parser.add_argument("--seconds", type=int, help="the duration of each measurement in seconds (default 4, quick 1)")
    parser.add_argument("--chart", type=Path, default=ROOT / ".bench" / "chart.svg", help="default %(default)s")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 4)
    options.keep = options.keep and options.keep.resolve()
    return options


def _run(options: argparse.Namespace) -> None:
    with Servers(options.keep, _report) as servers:
        parts = _parts(servers, options)
        chosen = _chosen(cases(parts), options.only)
        rounds = [_round(chosen, number, options) for number in range(options.rounds)]
        found = verdicts(TARGETS, rounds)
        if not options.only or "memory" in options.only:
            memory = [max(each.worker_megabytes) for each in (parts.service, parts.workers, parts.large) if each]
            found.append(Verdict("memory of a worker after the load", MEMORY_LIMIT_MB, "MB", True, memory))
        if not options.only or "start" in options.only:
            found += _start_verdicts(servers, parts.dsn, times=1 if options.quick else 3)
    _print_results(chosen, rounds, found, options)


def _parts(servers: Servers, options: argparse.Namespace) -> Parts:
    wants_many = not options.quick and options.tickets > _FEW_TICKETS
    dsn = servers.database(_FEW_TICKETS, is_kept=False)
    servers.lengthen(dsn, LONG, LONG_COMMENTS)
    large_dsn = servers.database(options.tickets, is_kept=True) if wants_many else None
    _report("starting the services")
    parts = Parts(
        servers=servers,
        dsn=dsn,
        bare=servers.comparison("bench.apps:bare"),
        validated=servers.comparison("bench.apps:validated", is_factory=True),
        service=servers.service(dsn),
        plain=servers.service(dsn, has_key=False, **_PLAIN_SETTINGS),
        workers=servers.service(dsn, WORKERS=str(WORKERS)),
        large_dsn=large_dsn,
        large=servers.service(large_dsn) if large_dsn else None,
    )
    for server, path in ((parts.bare, "/"), (parts.validated, "/openapi.json")):
        server.wait_until_ready(path)
    for service in (parts.service, parts.plain, parts.workers, parts.large):
        if service is not None:
            service.wait_until_ready()
    return parts


def _chosen(every: Sequence[Case], only: Sequence[str] | None) -> list[Case]:
    if only is None:
        return list(every)
    needed = {name for target in TARGETS if target.needs[0] in only for name in target.needs} | set(only)
    if unknown := set(only) - {case.name for case in every} - {"memory", "start"}:
        raise LoadFailed(
            f"there is no case {', '.join(sorted(unknown))}; the cases are {', '.join(case.name for case in every)}"
        )
    return [case for case in every if case.name in needed]


def _round(chosen: Sequence[Case], number: int, options: argparse.Namespace) -> dict[str, Measured]:
    measured = {}
    for index, case in enumerate(chosen):
        run = case.run(options.seconds, (number * len(chosen) + index + 1) * _NUMBERS_PER_RUN)
        measured[case.name] = run
        result = f"{case.name:<14} {run.per_second:>8,.0f}/s {run.cpu_us:>8,.0f} µs"
        note = f"  ({run.discarded} runs with unexpected responses discarded)" if run.discarded else ""
        _report(f"round {number + 1} of {options.rounds}  {result}{note}")
    return measured


def _start_verdicts(servers: Servers, dsn: str, *, times: int) -> list[Verdict]:
    """Measure starts. The first one with embedded servers creates their data and is not counted."""
    configured = [_start(lambda: servers.service(dsn, has_key=False)) for _ in range(times)]
    data = Path(tempfile.mkdtemp(prefix="tickets-bench-start-"))
    data.chmod(0o711)
    try:
        embedded = [_start(lambda: servers.embedded(data)) for _ in range(times + 1)][1:]
    finally:
        shutil.rmtree(data, ignore_errors=True)
    memory = [megabytes for _, megabytes in embedded]
    title = "memory of everything but the databases, one worker"
    return [
        Verdict("warm start, both servers up", START_LIMIT_S, "s", True, [seconds for seconds, _ in configured]),
        Verdict(
            "warm start, with embedded servers", EMBEDDED_START_LIMIT_S, "s", True, [seconds for seconds, _ in embedded]
        ),
        Verdict(title, ALL_MEMORY_LIMIT_MB, "MB", True, memory),
    ]


def _start(start: Callable[[], Server]) -> tuple[float, float]:
    """Return how many seconds a start takes, and the memory after it, in MB."""
    began_at = time.monotonic()
    server = start()
    try:
        server.wait_until_ready()
        duration_s = time.monotonic() - began_at
        megabytes = server.megabytes
    finally:
        server.stop()
    _report(f"started in {duration_s:.2f} s")
    return duration_s, megabytes


def _print_results(
    chosen: Sequence[Case], rounds: Sequence[Round], found: Sequence[Verdict], options: argparse.Namespace
) -> None:
    method = f"{options.rounds} rounds of {options.seconds} s each; medians, with minimum and maximum of the rounds"
    print(f"\n{method}\n\n{cases_table(chosen, rounds)}\n\n{targets_table(found)}")
    if any(case.name == "hit-plain" for case in chosen):
        print(
            "\nThe cached ticket of the first target is served with ALLOW_ANONYMOUS=true and LOG_LEVEL=warning:\n"
            "without authentication and without log lines. Metrics and Cache-Status cannot be switched off."
        )
    if options.quick:
        print(
            f"Not measured with --quick: lists and searches of {_MANY_TICKETS:,} tickets, pages after {_FEW_TICKETS:,}."
        )
    options.chart.parent.mkdir(parents=True, exist_ok=True)
    options.chart.write_text(chart(found, subtitle=method))
    print(f"Chart: {options.chart}")


def _report(line: str) -> None:
    print(f"{time.monotonic() - _BEGAN_AT:7.1f} s  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
