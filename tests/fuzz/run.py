"""Fuzz the service by its OpenAPI document: `[--cases 2000] [--minutes M] [--seed N]`.

Starts servers of its own and stops them at the end. Runs until that many requests were sent and that much time has
passed. The exit status is 1 if a response contradicts the document.
"""

import argparse
import secrets
import signal
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# They replace the folder of this file, which Python puts there.
sys.path[:1] = [str(ROOT / "src"), str(ROOT / "tests")]

from fuzz.fuzzing import Report, fuzz_until  # noqa: E402 - only found on the path above
from main import create_app  # noqa: E402 - as above
from support.factories import FAULT, settings_for  # noqa: E402 - as above
from support.servers import migrated_servers, servers_folder  # noqa: E402 - as above
from support.service_process import ServiceProcess  # noqa: E402 - as above


def main() -> int:
    """Run, print the report, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    options = parser.parse_args()
    _print(f"seed {options.seed}")
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.default_int_handler)
    try:
        report = _run(options.seed, options.cases, options.minutes * 60)
    except KeyboardInterrupt:
        _print("stopped")
        return 130
    _print_report(report, options.seed)
    return 1 if report.findings or report.obstacles else 0


def _run(seed: int, cases: int, seconds: float) -> Report:
    with servers_folder("tickets-fuzz-") as folder, migrated_servers(folder) as (postgres, valkey):
        settings = settings_for(postgres.dsn, "127.0.0.1", valkey.port, allow_anonymous=False)
        document = create_app(settings).openapi()
        with ServiceProcess(folder / "log", settings) as service:
            key = service.create_admin_key()
            report = fuzz_until(
                document, service.url, key, seed=seed, cases=cases, seconds=seconds, on_progress=_print_progress
            )
        if FAULT.search(service.output):
            report.obstacles.append(f"the service logged an error:\n{service.output[-5000:]}")
        return report


def _print_progress(report: Report) -> None:
    _print(f"{report.sent.total():>8} cases, {len(report.findings)} failures")


def _print_report(report: Report, seed: int) -> None:
    for finding in report.distinct:
        _print(f"\n{finding}")
    for obstacle in report.obstacles:
        _print(f"\n{obstacle}")
    failures = Counter(finding.operation for finding in report.findings)
    _print(f"\n{'cases':>8}  {'accepted':>8}  {'failures':>8}  operation")
    for operation, number in sorted(report.sent.items()):
        _print(f"{number:>8}  {report.accepted[operation]:>8}  {failures[operation]:>8}  {operation}")
    accepted = report.accepted.total()
    _print(f"{report.sent.total():>8}  {accepted:>8}  {failures.total():>8}  in total, with seed {seed}")


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - printing is what it is for


if __name__ == "__main__":
    sys.exit(main())
