"""Let writers and killed publishers loose on the event log, and compare it with the history: `--seconds 60`.

Starts servers of its own and stops them at the end. The exit status is 1 if there are violations.
"""

import argparse
import asyncio
import importlib
import logging
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# They replace the folder of this file, which Python puts there.
sys.path[:1] = [str(ROOT), str(ROOT / "src"), str(ROOT / "tests")]

from support.factories import settings_for  # noqa: E402 - only found on the path above
from support.servers import migrated_servers, servers_folder  # noqa: E402 - as above


def main() -> int:
    """Run, print the report, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--writers", type=int, default=64)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    storms = importlib.import_module("tests.events.storm")
    plan = storms.Plan(options.seed, options.seconds, options.writers)
    with servers_folder("tickets-events-") as folder, migrated_servers(folder) as (postgres, valkey):
        report = asyncio.run(storms.storm(settings_for(postgres.dsn, "127.0.0.1", valkey.port), plan))
    sys.stdout.write(f"seed {plan.seed}\n")
    sys.stdout.writelines(f"  {count:8} {what}\n" for what, count in report.done.most_common())
    sys.stdout.write(
        f"delay from commit to log: {1000 * report.delay_s(0.5):.0f} ms, p99 {1000 * report.delay_s(0.99):.0f} ms\n"
    )
    sys.stdout.writelines(f"{violation}\n" for violation in report.violations)
    sys.stdout.write(f"{len(report.violations)} violations\n")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
