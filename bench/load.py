"""Load by wrk, and its cost to the server."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.server import Server

CONNECTIONS: Final = 32
_HERE: Final = Path(__file__).parent
# Added to the duration of the run, for connecting and for the last responses.
_TIMEOUT_MARGIN_S: Final = 20


@dataclass(frozen=True)
class Request:
    """A request to send once or repeatedly; {n} in the body is replaced by a number that is unique to each request."""

    method: str
    path: str
    body: str = ""
    etag: str = ""

    @property
    def line(self) -> str:
        """The request as `requests.lua` reads it."""
        return f"{self.method}\t{self.path}\t{self.etag}\t{self.body}"


@dataclass(frozen=True)
class Measured:
    """The result of one run. `responses` counts the statuses; for lookups, with the source, as in `200 hit`."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    database_cpu_us: float
    responses: Mapping[str, int]
    # The number of runs before this one that were discarded because of unexpected responses.
    discarded: int = 0

    def share_of(self, *expected: str) -> float:
        """Return the share of these responses."""
        return sum(self.responses.get(status, 0) for status in expected) / max(1, self.requests)


class LoadFailed(Exception):
    """wrk or pgbench failed, or got other responses than expected."""


def require_wrk() -> str:
    """Return the path of wrk. Exits with one line that says how to install it if it is missing."""
    found = shutil.which("wrk")
    if found is None:
        sys.exit("bench: wrk is not on the PATH; install it (Debian and Ubuntu: apt-get install wrk)")
    return found


def load(
    server: Server, requests: Sequence[Request], *, seconds: int, number: int, connections: int = CONNECTIONS
) -> Measured:
    """Send the requests repeatedly over `connections` connections, and measure. Raises LoadFailed."""
    with tempfile.NamedTemporaryFile("w", suffix=".requests", encoding="utf-8") as lines:
        lines.writelines(f"{request.line}\n" for request in requests)
        lines.flush()
        headers = [part for name, value in server.headers.items() for part in ("-H", f"{name}: {value}")]
        options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
        script = ["-s", str(_HERE / "requests.lua"), server.url, "--", lines.name, str(number)]
        before, database_before = server.cpu_s, server.database_cpu_s
        result = _run([require_wrk(), *options, *headers, *script], timeout_s=seconds + _TIMEOUT_MARGIN_S)
        cpu_s, database_cpu_s = server.cpu_s - before, server.database_cpu_s - database_before
    count = result["requests"]
    if result["failed"] or not count:
        raise LoadFailed(f"{result['failed']} of {count} requests to {requests[0].path} had no response")
    return Measured(
        requests=count,
        per_second=count / result["seconds"],
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
        cpu_us=cpu_s / count * 1e6,
        database_cpu_us=database_cpu_s / count * 1e6,
        responses=result["responses"],
    )


def _run(command: Sequence[str], *, timeout_s: float) -> dict[str, Any]:
    try:
        process = subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout_s)
        result: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        raise LoadFailed(f"wrk ended with status {error.returncode}: {error.stderr.strip()}") from None
    except (subprocess.TimeoutExpired, IndexError, json.JSONDecodeError) as error:
        raise LoadFailed(f"wrk printed no result: {error}") from None
    return result
