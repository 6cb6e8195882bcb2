"""Let clients and faults loose on the service, and judge what came of it: `--minutes 2 [--seed S] [--clients C]`.

Starts servers of its own and stops them at the end. The exit status is 1 if anything happened that must not.
"""

import argparse
import asyncio
import logging
import secrets
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[2]
# In place of this folder, which is put there when a file is run by its path.
sys.path[:1] = [str(ROOT / "src"), str(ROOT / "tests")]

from chaos.storm import Plan, Report, storm  # noqa: E402 - only found on the path above
from core.settings import async_dsn  # noqa: E402 - as above
from db.embedded import EmbeddedPostgres, EmbeddedValkey  # noqa: E402 - as above
from db.postgres.migrations import migrate  # noqa: E402 - as above

_MOST_LINES: Final = 60


def main() -> int:
    """Run, print the report, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--clients", type=int, default=12)
    options = parser.parse_args()
    _say(f"seed {options.seed}")
    logging.disable(logging.CRITICAL)  # the service complains, rightly, of every fault
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked_to_stop, signal.default_int_handler)
    plan = Plan(options.seed, options.clients, options.minutes * 60)
    try:
        report = _run(plan)
    except KeyboardInterrupt:
        _say("stopped")
        return 130
    _tell(report)
    return 1 if report.verdict.violations else 0


def _run(plan: Plan) -> Report:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="tickets-chaos-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o711)  # the servers may run as another user, and must get through to their own folders
        postgres, valkey = EmbeddedPostgres(folder / "postgres"), EmbeddedValkey(folder / "valkey", nodes=3)
        stack.callback(postgres.stop)
        stack.callback(valkey.stop)
        postgres.start()
        valkey.start()
        migrate(async_dsn(postgres.dsn))
        valkey.wait_until_formed()
        return asyncio.run(storm(postgres.dsn, valkey, plan, _say))


def _tell(report: Report) -> None:
    operations = Counter(f"{each.kind}, {each.outcome}" for each in report.history.operations)
    _table("operations", operations)
    _table("how reads were answered", Counter(each.how for each in report.history.operations if each.seen))
    _table("faults", report.faults)
    _table("the cache", report.cache)
    _table("stale reads within the bound", report.verdict.allowed)
    for violation in report.verdict.violations:
        _say(f"\n{violation}")
        if violation.ticket_id is not None:
            for line in report.history.lines(violation.ticket_id, at=violation.at, most=_MOST_LINES):
                _say(f"    {line.splitlines()[0]}")
    _say(
        f"\n{operations.total()} operations, {report.faults.total()} faults, "
        f"{report.verdict.allowed.total()} stale reads within the bound, "
        f"{len(report.verdict.violations)} violations"
    )


def _table(title: str, numbers: Mapping[str, int]) -> None:
    _say(f"\n{title}")
    for name, number in sorted(numbers.items()):
        _say(f"  {number:>8}  {name}")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - printing is what it is for


if __name__ == "__main__":
    sys.exit(main())
