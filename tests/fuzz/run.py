"""Fuzz the service by its OpenAPI document: `[--cases 2000] [--minutes M] [--seed N]`.

Starts servers of its own and stops them at the end. Goes on until that many requests were sent, and for that long. The
exit status is 1 if an answer was not as the document says.
"""

import argparse
import secrets
import shutil
import signal
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# In place of this folder, which is put there when a file is run by its path.
sys.path[:1] = [str(ROOT / "src"), str(ROOT / "tests")]

from core.settings import async_dsn  # noqa: E402 - only found on the path above
from db.embedded import EmbeddedPostgres, EmbeddedValkey  # noqa: E402 - as above
from db.postgres.migrations import migrate  # noqa: E402 - as above
from fuzz.fuzzing import Report, fuzz_until  # noqa: E402 - as above
from main import create_app  # noqa: E402 - as above
from support.factories import FAULT, settings_for  # noqa: E402 - as above
from support.service_process import ServiceProcess  # noqa: E402 - as above


def main() -> int:
    """Run, print the report, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    options = parser.parse_args()
    _say(f"seed {options.seed}")
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked_to_stop, signal.default_int_handler)
    try:
        report = _run(options.seed, options.cases, options.minutes * 60)
    except KeyboardInterrupt:
        _say("stopped")
        return 130
    _tell(report, options.seed)
    return 1 if report.findings or report.hindrances else 0


def _run(seed: int, cases: int, seconds: float) -> Report:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="tickets-fuzz-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o711)  # the servers may run as another user, and must get through to their own folders
        postgres, valkey = EmbeddedPostgres(folder / "postgres"), EmbeddedValkey(folder / "valkey", nodes=3)
        stack.callback(postgres.stop)
        stack.callback(valkey.stop)
        postgres.start()
        valkey.start()
        migrate(async_dsn(postgres.dsn))
        valkey.wait_until_formed()
        settings = settings_for(postgres.dsn, "127.0.0.1", valkey.port, allow_anonymous=False)
        service = stack.enter_context(ServiceProcess(folder / "log", settings))
        document = create_app(settings).openapi()
        report = fuzz_until(
            document,
            service.url,
            service.create_agent_key(),
            seed=seed,
            cases=cases,
            seconds=seconds,
            tell=_tell_progress,
        )
        if FAULT.search(service.output):
            report.hindrances.append(f"the service logged an error:\n{service.output[-5000:]}")
        return report


def _tell_progress(report: Report) -> None:
    _say(f"{report.sent.total():>8} cases, {len(report.findings)} failures")


def _tell(report: Report, seed: int) -> None:
    for finding in report.distinct:
        _say(f"\n{finding}")
    for hindrance in report.hindrances:
        _say(f"\n{hindrance}")
    failures = Counter(finding.operation for finding in report.findings)
    _say(f"\n{'cases':>8}  {'accepted':>8}  {'failures':>8}  operation")
    for operation, number in sorted(report.sent.items()):
        _say(f"{number:>8}  {report.accepted[operation]:>8}  {failures[operation]:>8}  {operation}")
    accepted = report.accepted.total()
    _say(f"{report.sent.total():>8}  {accepted:>8}  {failures.total():>8}  in total, with seed {seed}")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - printing is what it is for


if __name__ == "__main__":
    sys.exit(main())
