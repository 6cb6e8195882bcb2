"""The set-up link of a start: on a terminal and in a file, never in the log; and no secret of a sign-in in the log."""

import os
import pty
import re
import subprocess
import time
from pathlib import Path

import httpx2
import pytest

from core.settings import Settings
from support.service_process import SERVE, STOP_TIMEOUT_S, ServiceProcess, operator_command
from support.sign_in import FORM, PASSWORD

LINK = re.compile(r"Make it yours: (http://127\.0\.0\.1:\d+)/set-up#([A-Za-z0-9_-]{43})")


def started_on_a_terminal(service: ServiceProcess) -> str:
    """Start the service on a pseudo-terminal; return what it prints there until it is ready."""
    terminal, slave = pty.openpty()
    process = subprocess.Popen(
        SERVE, env=service.environment, stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.DEVNULL
    )
    os.close(slave)
    shown = ""
    try:
        while "Ctrl-C stops." not in shown:
            shown += os.read(terminal, 4096).decode()
        while service.status("/readyz") != 200:
            time.sleep(0.05)
        process.terminate()
        process.wait(STOP_TIMEOUT_S)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    return shown


@pytest.fixture
def service(fresh_settings: Settings, tmp_path: Path) -> ServiceProcess:
    return ServiceProcess(tmp_path / "log", fresh_settings, LOG_FORMAT="json", LOG_LEVEL="debug")


def test_a_terminal_shows_the_link_at_every_start_until_it_is_used(service: ServiceProcess, tmp_path: Path) -> None:
    file = tmp_path / "data" / "set-up-token"
    tokens = set()
    for _ in range(2):
        link = LINK.search(started_on_a_terminal(service))
        assert link is not None
        assert link[1] == service.url
        tokens.add(link[2])
    assert tokens == {file.read_text().strip()}
    assert file.stat().st_mode & 0o777 == 0o600
    with service:
        claim(service, tokens.pop())
        assert not file.exists()
    assert "set-up" not in started_on_a_terminal(service)


def test_no_log_and_no_file_of_output_has_a_secret(service: ServiceProcess, tmp_path: Path) -> None:
    with service:
        token = (tmp_path / "data" / "set-up-token").read_text().strip()
        assert f"/set-up# and the token in {tmp_path}/data/set-up-token" in service.output
        session = claim(service, token)
        link = operator_command("people.py", service.environment, "sign-in-link", "alice@example.com").stdout
        link_token = link.strip().partition("token=")[2]
        with httpx2.Client(base_url=service.url, headers=FORM) as client:
            assert client.get(f"/sign-in/link?token={link_token}").status_code == 200
            assert client.post("/sign-in/link", data={"token": link_token}).status_code == 303
            sessions = [session, client.cookies["session"]]
            client.post("/sign-in", data={"email": "alice@example.com", "password": "a wrong password"})
            client.post("/my/account/second-factor", data={})
            client.get("/my/account")
            client.get("/sign-in/callback?state=secret-state&code=secret-code")
            client.post("/desk/tickets?secret-query", data={"text": "secret-text"}, headers={"Cookie": "session=x"})
    assert len(service.access_log()) >= 8
    for secret in (token, link_token, *sessions, PASSWORD, "a wrong password", "secret-"):
        assert secret not in service.output


def claim(service: ServiceProcess, token: str) -> str:
    """Set the service up; return the token of the session."""
    form = {"token": token, "name": "Alice", "email": "alice@example.com", "password": PASSWORD, "repeated": PASSWORD}
    with httpx2.Client(base_url=service.url, headers=FORM) as client:
        response = client.post("/set-up", data=form)
        assert response.status_code == 303, response.text
        return client.cookies["session"]


def test_without_a_folder_for_the_file_the_command_prints_the_link(fresh_settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    service = ServiceProcess(tmp_path / "log", fresh_settings, DATA_DIR=str(tmp_path / "file"))
    with service:
        assert "Make it yours: pipenv run people set-up-link" in service.output
        printed = operator_command("people.py", service.environment, "set-up-link").stdout
        assert printed.startswith(f"{service.url}/set-up#")
        claim(service, printed.strip().partition("#")[2])
