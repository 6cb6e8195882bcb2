"""Look for known vulnerabilities in what `Pipfile.lock` pins, with pip-audit.

Exits with 1 when there are some. When the database of vulnerabilities can not be reached, or not in time, that is said
in one line and is no failure: a change must be able to land on a machine without internet.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from requirements import LOCK, requirements

WITHIN_S = 90
# How long pip-audit waits for one answer, in seconds: who is offline learns it after the first.
ANSWER_WITHIN_S = 5

Report = dict[str, Any]


def findings(report: Report) -> list[str]:
    """Return a line for each known vulnerability in pip-audit's report."""
    return [
        f"{package['name']} {package['version']}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'none'}"
        for package in report["dependencies"]
        for found in package.get("vulns", ())
    ]


def looked_up(report: Report) -> int:
    """Return how many packages the database knows; pip-audit skips those of which it was told nothing."""
    return sum("vulns" in package for package in report["dependencies"])


def audited(lines: list[str], *options: str) -> Report | None:
    """Return the report of pip-audit with these options on these requirements, None if there is none in time."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, report = Path(folder, "requirements.txt"), Path(folder, "report.json")
        wanted.write_text("\n".join(lines))
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner=off"]
        command += ["--timeout", str(ANSWER_WITHIN_S), "--format=json", "--output", str(report)]
        command += ["-r", str(wanted), *options]
        try:
            subprocess.run(command, capture_output=True, timeout=WITHIN_S, check=False)
        except subprocess.TimeoutExpired:
            return None
        written = report.read_text() if report.exists() else ""
    return json.loads(written) if written else None


def verdict(report: Report | None) -> tuple[int, str]:
    """Return the exit status and what to print."""
    if report is None or not looked_up(report):
        return 0, "audit: skipped, the database of vulnerabilities did not answer"
    found = findings(report)
    if found:
        return 1, "\n".join(["audit: known vulnerabilities:", *found])
    return 0, f"audit: no known vulnerability in {looked_up(report)} of {len(report['dependencies'])} packages"


def main() -> int:
    """Audit the lock and tell what was found."""
    status, said = verdict(audited(list(requirements(json.loads(LOCK.read_text()), ["default", "develop"]))))
    print(said)
    return status


if __name__ == "__main__":
    sys.exit(main())
