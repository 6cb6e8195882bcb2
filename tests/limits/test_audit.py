"""The look for known vulnerabilities, by the real pip-audit asking a database of our own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from audit import audited, verdict
from core.settings import ROOT

LINES = [f"{name} --hash=sha256:{'0' * 64}" for name in ("harmful==1.0", "harmless==2.0 ; python_version >= '3'")]


class Database(BaseHTTPRequestHandler):
    """Speaks as a database of OSV does, and knows one vulnerability."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        package = asked["package"]
        fixed = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}]
        known: dict[str, Any] = {"vulns": [{"id": "TEST-1", "affected": [{"package": package, "ranges": fixed}]}]}
        body = json.dumps(known if package["name"] == "harmful" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        serving.join()


def test_a_known_vulnerability_fails(database: str) -> None:
    status, said = verdict(audited(LINES, "--vulnerability-service=osv", "--osv-url", database))
    assert (status, said) == (1, "audit: known vulnerabilities:\nharmful 1.0: TEST-1, fixed in 1.1")


def test_no_known_vulnerability_is_well(database: str) -> None:
    status, said = verdict(audited(LINES[1:], "--vulnerability-service=osv", "--osv-url", database))
    assert (status, said) == (0, "audit: no known vulnerability in 1 of 1 packages")


def test_being_offline_is_said_in_one_line_and_is_no_failure() -> None:
    """The whole script on the whole lock; at port 9 nobody is at home."""
    nowhere = "http://127.0.0.1:9"
    environment = os.environ | {"HTTPS_PROXY": nowhere, "https_proxy": nowhere, "NO_PROXY": "", "no_proxy": ""}
    ran = subprocess.run(
        [sys.executable, ROOT / "scripts/audit.py"], env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "audit: skipped, the database of vulnerabilities did not answer\n"


def test_what_the_database_does_not_know_is_not_called_well() -> None:
    skipped = {"dependencies": [{"name": "ours", "skip_reason": "not found"}]}
    assert "skipped" in verdict(skipped)[1]
