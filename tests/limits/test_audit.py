"""The audit for known vulnerabilities, with the real pip-audit and a database of the test."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from audit import audited_packages, main
from core.settings import ROOT

LINES = [f"{name} --hash=sha256:{'0' * 64}" for name in ("harmful==1.0", "harmless==2.0 ; python_version >= '3'")]


class Database(BaseHTTPRequestHandler):
    """Responds as the OSV database does, and knows one vulnerability."""

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        package = query["package"]
        fixed = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}]
        known: dict[str, Any] = {"vulns": [{"id": "TEST-1", "affected": [{"package": package, "ranges": fixed}]}]}
        body = json.dumps(known if package["name"] == "harmful" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        serving.join()


def test_a_known_vulnerability_fails(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(LINES, "--vulnerability-service=osv", "--osv-url", database) == 1
    assert capsys.readouterr().out == "audit: known vulnerabilities:\nharmful 1.0: TEST-1, fixed in 1.1\n"


def test_packages_without_known_vulnerability_pass(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(LINES[1:], "--vulnerability-service=osv", "--osv-url", database) == 0
    assert capsys.readouterr().out == "audit: no known vulnerability in 1 of 1 packages\n"


@pytest.mark.parametrize(("required", "status"), [("", 0), ("true", 2)])
def test_without_the_database_it_warns_that_nothing_was_audited(required: str, status: int) -> None:
    """The whole script on the whole lock. Nothing listens on port 9."""
    nowhere = "http://127.0.0.1:9"
    environment = os.environ | {"HTTPS_PROXY": nowhere, "https_proxy": nowhere, "NO_PROXY": "", "no_proxy": ""}
    ran = subprocess.run(
        [sys.executable, ROOT / "scripts/audit.py"],
        env=environment | {"AUDIT_REQUIRED": required},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (status, "")
    assert "WARNING: NOTHING WAS AUDITED" in ran.stderr
    assert "This is not a pass" in ran.stderr


def test_packages_that_the_database_does_not_know_are_not_audited() -> None:
    report = {"dependencies": [{"name": "ours", "skip_reason": "not found"}]}
    assert audited_packages(report) == 0
