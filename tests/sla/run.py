"""Compare working time with the minutes that an oracle counts, around every change of every zone from 2000 to 2040.

`--examples 3` calendars for each change; `--zones Europe` only zones whose names begin so. The exit status is 1 if
there are differences.
"""

import argparse
import importlib
import secrets
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from hypothesis import HealthCheck, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
# They replace the folder of this file, which Python puts there.
sys.path[:1] = [str(ROOT), str(ROOT / "src"), str(ROOT / "tests")]


def main() -> int:
    """Run, print the report, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=3)
    parser.add_argument("--zones", default="")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    options = parser.parse_args()
    oracle, properties = importlib.import_module("sla.oracle"), importlib.import_module("sla.properties")
    zones = sorted(zone for zone in available_timezones() if zone.startswith(options.zones))
    moments = failures = 0
    sys.stdout.write(f"seed {options.seed}\n")
    for zone in zones:
        for moment in oracle.moments(zone):
            moments += 1
            failures += not _holds(partial(properties.check, zone=zone, moment=moment), options)
    sys.stdout.write(f"{len(zones)} zones, {moments} changes of the clocks, {failures} failures\n")
    return 1 if failures else 0


def _holds(check: Any, options: argparse.Namespace) -> bool:
    """Return whether a property holds; print the smallest example for which it does not."""

    @seed(options.seed)
    @hypothesis_settings(
        max_examples=options.examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def checked(draw: st.DataObject) -> None:
        check(draw)

    try:
        checked()
    except AssertionError:
        sys.stdout.write(f"{check.keywords}\n{traceback.format_exc()}\n")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
