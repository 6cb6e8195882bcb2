"""Load by wrk, and what it costs the server."""

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
# Beyond what it was told, for connecting and for the answers that are under way at the end.
_PATIENCE_S: Final = 20


@dataclass(frozen=True)
class Request:
    """What is sent, once or again and again; {n} in a body stands for a number that no other request has."""

    method: str
    path: str
    body: str = ""
    known: str = ""

    @property
    def line(self) -> str:
        """The request as `requests.lua` reads it."""
        return f"{self.method}\t{self.path}\t{self.known}\t{self.body}"


@dataclass(frozen=True)
class Measured:
    """What one run showed. `answers` counts statuses, those of lookups with where they came from."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    database_cpu_us: float
    answers: Mapping[str, int]
    # How many runs before this one were thrown away, because their answers were not what was to be measured.
    discarded: int = 0

    def share_of(self, *expected: str) -> float:
        """Return which part of the answers was one of these."""
        return sum(self.answers.get(answer, 0) for answer in expected) / max(1, self.requests)


class LoadFailed(Exception):
    """The load did not get through."""


def require_wrk() -> str:
    """Return where wrk is; without it, end with a line that says how to get it."""
    found = shutil.which("wrk")
    if found is None:
        sys.exit("bench: wrk is not on the PATH; install it (Debian and Ubuntu: apt-get install wrk)")
    return found


def load(
    server: Server, requests: Sequence[Request], *, seconds: int, number: int, connections: int = CONNECTIONS
) -> Measured:
    """Send the requests again and again, so many at once. Raises LoadFailed."""
    with tempfile.NamedTemporaryFile("w", suffix=".requests", encoding="utf-8") as lines:
        lines.writelines(f"{request.line}\n" for request in requests)
        lines.flush()
        key = [] if server.key is None else ["-H", f"Authorization: Bearer {server.key}"]
        how = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
        script = ["-s", str(_HERE / "requests.lua"), server.url, "--", lines.name, str(number)]
        before, database_before = server.cpu_s, server.database_cpu_s
        told = _told([require_wrk(), *how, *key, *script], timeout_s=seconds + _PATIENCE_S)
        cpu_s, database_cpu_s = server.cpu_s - before, server.database_cpu_s - database_before
    count = told["requests"]
    if told["failed"] or not count:
        raise LoadFailed(f"{told['failed']} of {count} requests to {requests[0].path} had no answer")
    return Measured(
        requests=count,
        per_second=count / told["seconds"],
        p50_ms=told["p50_ms"],
        p99_ms=told["p99_ms"],
        cpu_us=cpu_s / count * 1e6,
        database_cpu_us=database_cpu_s / count * 1e6,
        answers=told["answers"],
    )


def _told(command: Sequence[str], *, timeout_s: float) -> dict[str, Any]:
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout_s)
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        raise LoadFailed(f"wrk ended with status {error.returncode}: {error.stderr.strip()}") from None
    except (subprocess.TimeoutExpired, IndexError, json.JSONDecodeError) as error:
        raise LoadFailed(f"wrk told nothing: {error}") from None
    return told
