"""Look for known vulnerabilities in the packages that `Pipfile.lock` pins, with pip-audit.

Exit status:

- 0: the database was reached and knows no vulnerability, or nothing was audited (see below);
- 1: there are known vulnerabilities, listed on stdout;
- 2: nothing was audited and `AUDIT_REQUIRED=true`.

When the database of vulnerabilities does not respond in time, nothing is audited. That is a warning of several lines on
stderr and, by default, no failure: a change must be able to land from a machine without internet. A pipeline that has
internet sets `AUDIT_REQUIRED=true`.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from requirements import LOCK, requirements

TIMEOUT_S = 90
# For one response. Without internet, pip-audit fails at the first request.
RESPONSE_TIMEOUT_S = 5

NOT_AUDITED = """\
********************************************************************************
audit: WARNING: NOTHING WAS AUDITED.
audit: The database of known vulnerabilities did not respond, so none of the {packages}
audit: packages was checked. This is not a pass. Repeat it with internet access.
********************************************************************************"""

Report = dict[str, Any]


def findings(report: Report) -> list[str]:
    """Return a line for each known vulnerability in pip-audit's report."""
    return [
        f"{package['name']} {package['version']}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'none'}"
        for package in report["dependencies"]
        for found in package.get("vulns", ())
    ]


def audited_packages(report: Report) -> int:
    """Return how many packages the database knows. pip-audit skips the others."""
    return sum("vulns" in package for package in report["dependencies"])


def audit(lines: list[str], *options: str) -> Report | None:
    """Run pip-audit with these options on these requirements; return its report, or None if there is none in time."""
    with tempfile.TemporaryDirectory() as folder:
        pinned, report = Path(folder, "requirements.txt"), Path(folder, "report.json")
        pinned.write_text("\n".join(lines))
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner=off"]
        command += ["--timeout", str(RESPONSE_TIMEOUT_S), "--format=json", "--output", str(report)]
        command += ["-r", str(pinned), *options]
        try:
            subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            return None
        written = report.read_text() if report.exists() else ""
    return json.loads(written) if written else None


def main(lines: list[str], *options: str) -> int:
    """Audit these requirements, print the result and return the exit status."""
    report = audit(lines, *options)
    if report is None or not audited_packages(report):
        print(NOT_AUDITED.format(packages=len(lines)), file=sys.stderr)
        return 2 if os.environ.get("AUDIT_REQUIRED") == "true" else 0
    if found := findings(report):
        print("audit: known vulnerabilities:", *found, sep="\n")
        return 1
    print(f"audit: no known vulnerability in {audited_packages(report)} of {len(report['dependencies'])} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main(list(requirements(json.loads(LOCK.read_text()), ["default", "develop"]))))
