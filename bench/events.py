"""Measure the event log, the feed, streams, webhooks and timers: `[--quick] [--only NAME…] [--rounds N]`.

It starts all servers on the loopback address, and stops them at the end. The targets are ratios of values of the same
round, or bounds. The exit status is 1 if a response was wrong or missing; a missed target is only reported.
"""

import argparse
import asyncio
import logging
import resource
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Replaces this folder, which Python inserts when a file is run by its path.
sys.path[:1] = [str(ROOT), str(ROOT / "src")]

from bench.chart import chart  # noqa: E402 - only found on the path above
from bench.feed import idle, latency, pages, publisher, timers, webhooks, writes  # noqa: E402 - as above
from bench.feed.stage import TICKETS, Results, Stage, publish_all  # noqa: E402 - as above
from bench.load import LoadFailed, require_wrk  # noqa: E402 - as above
from bench.report import figures_table, targets_table  # noqa: E402 - as above
from bench.server import ServerFailed  # noqa: E402 - as above
from bench.servers import Servers  # noqa: E402 - as above
from db.embedded import ServerDidNotStart  # noqa: E402 - as above

_MEASUREMENTS = {
    "writes": writes.measure,
    "latency": latency.measure,
    "publisher": publisher.measure,
    "idle": idle.measure,
    "pages": pages.measure,
    "webhooks": webhooks.measure,
    "timers": timers.measure,
}
# For 2,000 streams at both ends, with room for the rest.
_OPEN_FILES = 8_192
_BEGAN_AT = time.monotonic()


def main() -> int:
    """Run the benchmark, print the tables, and return the exit status."""
    options = _options()
    require_wrk()
    _allow_open_files()
    logging.disable(logging.INFO)  # Alembic logs each migration
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.default_int_handler)
    try:
        _run(options)
    except KeyboardInterrupt:
        _report("stopped")
        return 130
    except (LoadFailed, ServerFailed, ServerDidNotStart, TimeoutError) as reason:
        _report(f"bench: {reason}")
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each, about two minutes")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=_MEASUREMENTS, help="measure these: %(choices)s")
    parser.add_argument("--rounds", type=int, help="the number of rounds (default 5, quick 1)")
    parser.add_argument("--chart", type=Path, default=ROOT / ".bench" / "events.svg", help="default %(default)s")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    return options


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _OPEN_FILES:
        most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _run(options: argparse.Namespace) -> None:
    results = Results()
    with Servers(None, _report) as servers:
        template = servers.database(TICKETS, is_kept=False)
        asyncio.run(publish_all(template))
        stage = Stage(servers, template, options.rounds, options.quick, _report)
        for name in options.only or _MEASUREMENTS:
            _MEASUREMENTS[name](stage, results)
    method = f"{options.rounds} rounds; medians, with minimum and maximum of the rounds"
    print(f"\n{method}\n\n{figures_table(results.figures)}\n\n{targets_table(results.verdicts)}")
    options.chart.parent.mkdir(parents=True, exist_ok=True)
    options.chart.write_text(chart(results.verdicts, subtitle=method))
    print(f"Chart: {options.chart}")


def _report(line: str) -> None:
    print(f"{time.monotonic() - _BEGAN_AT:7.1f} s  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
