"""The whole service as a person runs it: one command, in a process of its own."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.settings import ROOT
from db.embedded.process import free_port
from support.factories import FAULT, JSON, a_comment, a_ticket

START_WITHIN_S = 30
ENTRYPOINT = ROOT / "entrypoint.sh"


class Service:
    """A running ./entrypoint.sh with its data in a folder of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.port = free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "ENV_FILE": os.devnull,
            "DATA_DIR": str(folder),
            "PORT": str(self.port),
        } | environment
        self.said = tempfile.TemporaryFile("a+")  # noqa: SIM115 - closed by end()
        self.process = subprocess.Popen([ENTRYPOINT], env=self.environment, stdout=self.said, stderr=subprocess.STDOUT)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_WITHIN_S
        while "Ctrl-C stops." not in self.output() or self.try_to_ask("GET", "/readyz")[0] != 200:
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, "not ready in time"
            time.sleep(0.05)

    def try_to_ask(self, method: str, path: str) -> tuple[int, JSON]:
        try:
            return self.ask(method, path)
        except OSError:
            return 0, {}

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, JSON]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(signum)
        return self.process.wait(30)

    def output(self) -> str:
        self.said.seek(0)
        return self.said.read()

    def end(self) -> None:
        if self.process.poll() is None:
            self.stop()
        self.said.close()


@pytest.fixture(scope="module")
def data_folder(server_folder: Path) -> Path:
    return server_folder / "service"


@pytest.fixture
def service(data_folder: Path) -> Iterator[Service]:
    service = Service(data_folder)
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.end()


def test_it_says_where_things_are_and_leaves_no_process_behind(service: Service, data_folder: Path) -> None:
    family = service.family()
    assert {"postgres", "valkey-server"} <= {process.name() for process in family}
    assert service.stop(signal.SIGINT) == 0
    output = service.output()
    for place in (
        f"http://127.0.0.1:{service.port}/tickets",
        f"http://127.0.0.1:{service.port}/docs",
        str(data_folder),
    ):
        assert place in output
    assert not FAULT.search(output)
    assert alive(family) == []


def test_a_ticket_goes_its_way_and_survives_a_restart(service: Service, data_folder: Path) -> None:
    status, ticket = service.ask("POST", "/tickets", a_ticket())
    assert status == 201
    path = f"/tickets/{ticket['id']}"
    assert service.ask("POST", f"{path}/comments", a_comment(status="answered"))[0] == 201
    for step in ("awaiting_reply", "answered", "closed"):
        assert service.ask("PATCH", path, {"status": step})[0] == 200
    assert service.ask("POST", f"{path}/comments", a_comment())[0] == 409
    before = service.ask("GET", path)[1]
    assert service.stop() == 0

    again = Service(data_folder)
    try:
        again.wait_until_ready()
        assert again.ask("GET", path) == (200, before)
    finally:
        again.end()


def test_what_was_acknowledged_survives_the_death_of_every_process(service: Service, data_folder: Path) -> None:
    tickets = [service.ask("POST", "/tickets", a_ticket(subject=f"ticket {number}"))[1] for number in range(20)]
    for ticket in tickets:
        assert service.ask("POST", f"/tickets/{ticket['id']}/comments", a_comment(status="answered"))[0] == 201
    for process in service.family():
        process.kill()
    service.process.wait(30)

    again = Service(data_folder)
    try:
        again.wait_until_ready()
        for ticket in tickets:
            status, found = again.ask("GET", f"/tickets/{ticket['id']}")
            assert (status, found["subject"], found["version"], found["status"]) == (
                200,
                ticket["subject"],
                2,
                "answered",
            )
            assert len(found["comments"]) == 1
    finally:
        again.end()


def test_everything_ends_with_a_starter_that_was_killed(service: Service) -> None:
    family = service.family()
    assert service.stop(signal.SIGKILL) == -signal.SIGKILL
    gone, alive = psutil.wait_procs(family, timeout=20)
    assert not alive
    assert gone


def test_an_embedded_server_that_dies_is_started_again(service: Service) -> None:
    (postgres,) = [
        process
        for process in service.family()
        if process.name() == "postgres" and process.ppid() == service.process.pid
    ]
    postgres.kill()
    deadline = time.monotonic() + START_WITHIN_S
    while service.ask("POST", "/tickets", a_ticket())[0] != 201:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_two_instances_share_neither_their_data_nor_their_port(service: Service, data_folder: Path) -> None:
    assert_refused(Service(data_folder), "in use by another instance")
    assert_refused(Service(Path("/nonexistent"), PORT=str(service.port)), f"cannot listen on 127.0.0.1:{service.port}")


def test_several_workers_serve(data_folder: Path) -> None:
    service = Service(data_folder, WORKERS="2")
    try:
        service.wait_until_ready()
        family = service.family()
        assert service.ask("POST", "/tickets", a_ticket())[0] == 201
        assert service.stop() == 0
        assert alive(family) == []
    finally:
        service.end()


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"DATABASE_DSN": "mysql://nobody@127.0.0.1/x"}, "DATABASE_DSN: "),
        ({"PORT": "many"}, "PORT: "),
        ({"HOST": "no.such.host.invalid"}, "cannot listen on no.such.host.invalid"),
        ({"DATA_DIR": "/proc/nowhere"}, "DATA_DIR can not be used"),
        ({"DATABASE_DSN": "postgresql://u@h:port/d"}, "DATABASE_DSN: "),
        ({"HOST": "a..b"}, "cannot listen on a..b"),
        ({"REDIS_HOST": "a:b:c"}, "REDIS_HOST: "),
    ],
)
def test_an_impossible_setting_is_said_in_one_line(environment: dict[str, str], line: str) -> None:
    assert_refused(Service(Path("/nonexistent"), **environment), line)


def test_an_unreachable_database_is_said_in_one_line_without_its_password() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dsn = f"postgresql://tickets:pass-word@127.0.0.1:{unused.getsockname()[1]}/tickets"
        service = Service(Path("/nonexistent"), DATABASE_DSN=dsn, REDIS_HOST="127.0.0.1", STARTUP_TIMEOUT="0.5")
        output = assert_refused(service, "cannot use the database of DATABASE_DSN", lines=2)
        assert "waiting up to 0.5 s for PostgreSQL: " in output
        assert "pass-word" not in output


@pytest.mark.parametrize(
    ("change", "reason"),
    [(":wrong@", "password authentication failed"), ("/nothing", 'database "nothing" does not exist')],
)
def test_a_database_that_refuses_is_said_in_one_line(postgres_dsn: str, change: str, reason: str) -> None:
    dsn = re.sub(r":[^:/]+@" if "@" in change else r"/\w+$", change, postgres_dsn)
    output = assert_refused(Service(Path("/nonexistent"), DATABASE_DSN=dsn, REDIS_HOST="127.0.0.1"), reason)
    assert dsn not in output


def test_a_missing_python_is_said_in_one_line(tmp_path: Path) -> None:
    for command in ("bash", "env", "dirname", "readlink"):
        (tmp_path / command).symlink_to(Path("/usr/bin") / command)
    copy = tmp_path / "project"
    copy.mkdir()
    (copy / "entrypoint.sh").write_bytes(ENTRYPOINT.read_bytes())
    done = subprocess.run(
        ["/bin/bash", copy / "entrypoint.sh"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert done.stderr.startswith("entrypoint.sh: Python 3.11 or newer is needed")
    assert done.stderr.count("\n") == 1


def alive(family: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that still run; one that ended and was not yet collected by its new parent does not."""
    return [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def assert_refused(service: Service, line: str, *, lines: int = 1) -> str:
    status, output = service.process.wait(30), service.output()
    service.end()
    assert status == 1, output
    assert line in output
    assert output.splitlines()[-1].startswith("tickets: ")
    assert output.count("\n") == lines
    return output
