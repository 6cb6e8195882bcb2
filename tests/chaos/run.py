"""Run clients and faults against the service and check what they observed: `--minutes 2 [--seed S] [--clients C]`.

There are two storms, each of that length: one for what clients read and write, one for the readers of events. `--only
cache` or `--only events` runs one of them. Each starts servers of its own and stops them at the end. The exit status is
1 if there are violations.
"""

import argparse
import asyncio
import logging
import secrets
import signal
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

ROOT = Path(__file__).resolve().parents[2]
# They replace the folder of this file, which Python puts there.
sys.path[:1] = [str(ROOT / "src"), str(ROOT / "tests")]

from chaos.event_storm import EventReport, event_storm  # noqa: E402 - only found on the path above
from chaos.history import Kind  # noqa: E402 - only found on the path above
from chaos.storm import Plan, Report, storm  # noqa: E402 - only found on the path above
from core.settings import async_dsn  # noqa: E402 - as above
from db.embedded import EmbeddedPostgres  # noqa: E402 - as above
from db.postgres.migrations import migrate  # noqa: E402 - as above
from support.replicated_valkey import ReplicatedValkey  # noqa: E402 - as above
from support.servers import running_server, servers_folder  # noqa: E402 - as above

_MAX_LINES: Final = 60
# Each write of the storm for the readers of events arrives a dozen times.
_EVENT_CLIENTS_SHARE: Final = 3


Reported = TypeVar("Reported")
Storm = Callable[[EmbeddedPostgres, ReplicatedValkey, Plan, Path, Callable[[str], None]], Coroutine[Any, Any, Reported]]


def main() -> int:
    """Run, print the report, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--only", choices=["cache", "events"])
    options = parser.parse_args()
    _print(f"seed {options.seed}")
    logging.disable(logging.CRITICAL)  # the service logs every fault
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.default_int_handler)
    seconds, violations = options.minutes * 60, 0
    try:
        if options.only != "events":
            report = _run(_client_storm, Plan(options.seed, options.clients, seconds))
            _print_report(report)
            violations += len(report.verdict.violations)
        if options.only != "cache":
            clients = max(1, options.clients // _EVENT_CLIENTS_SHARE)
            event_report = _run(event_storm, Plan(options.seed, clients, seconds))
            _print_event_report(event_report)
            violations += len(event_report.violations)
    except KeyboardInterrupt:
        _print("stopped")
        return 130
    return 1 if violations else 0


async def _client_storm(
    postgres: EmbeddedPostgres, valkey: ReplicatedValkey, plan: Plan, folder: Path, progress: Callable[[str], None]
) -> Report:
    return await storm(postgres.dsn, valkey, plan, folder, progress)


def _run(run: Storm[Reported], plan: Plan) -> Reported:
    with (
        servers_folder("tickets-chaos-") as folder,
        running_server(EmbeddedPostgres(folder / "postgres")) as postgres,
        running_server(ReplicatedValkey(folder / "valkey")) as valkey,
    ):
        migrate(async_dsn(postgres.dsn))
        return asyncio.run(run(postgres, valkey, plan, folder, _print))


def _print_report(report: Report) -> None:
    reads = [each for each in report.history.operations if each.kind is Kind.READ and each.version is not None]
    _table("operations", Counter(f"{each.kind}, {each.outcome}" for each in report.history.operations))
    _table("sources of the reads", Counter(each.how for each in reads))
    _table("faults", report.faults)
    _table("the cache", report.cache)
    _table("counted apart", report.verdict.apart)
    for violation in report.verdict.violations:
        _print(f"\n{violation}")
        if violation.ticket_id is not None:
            for line in report.history.lines(violation.ticket_id, at=violation.at, most=_MAX_LINES):
                _print(f"    {line.splitlines()[0]}")
    _print(
        f"\n{len(report.history.operations)} operations, {report.faults.total()} faults, "
        f"{sum(each.how.endswith('hit') for each in reads)} hits, "
        f"{sum('fwd' in each.how for each in reads)} misses, "
        f"{report.verdict.apart['labelled stale-if-error']} labelled stale-if-error, "
        f"{report.cache['fence_waits']} writes that waited for a fence, "
        f"{report.groups_marked_down} times a group was marked down, "
        f"hits returned {report.recovery_s:.1f} s after the last fault, "
        f"{len(report.verdict.violations)} violations"
    )


def _print_event_report(report: EventReport) -> None:
    _table("writes", report.writes + Counter(f"{each.kind}, {each.outcome}" for each in report.history.operations))
    _table("faults", report.faults)
    for reading in report.readings:
        arrived, distinct = len(reading.seen), len(reading.accepted())
        complete = "never" if reading.complete_s is None else f"{reading.complete_s:.1f} s after the storm"
        title = f"{reading.name}: {distinct} events, {arrived - distinct} repeated or failed, complete {complete}"
        _table(title, reading.counts)
    for violation in report.violations:
        _print(f"\n{violation}")
    _print(
        f"\n{report.events} events in the log, {report.faults.total()} faults, {len(report.readings)} readers, "
        f"{sum(len(each.accepted()) for each in report.readings)} events accepted, "
        f"{sum(len(each.seen) for each in report.readings)} arrivals, "
        f"everything arrived {report.settled_s:.1f} s after the storm, "
        f"{len(report.violations)} violations"
    )


def _table(title: str, numbers: Mapping[str, int]) -> None:
    _print(f"\n{title}")
    for name, number in sorted(numbers.items()):
        _print(f"  {number:>8}  {name}")


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - printing is what it is for


if __name__ == "__main__":
    sys.exit(main())
