"""`./entrypoint.sh` without configuration: one command that starts the servers, migrates and serves."""

import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from support.factories import FAULT, a_comment, a_ticket
from support.service_process import ENTRYPOINT, START_TIMEOUT_S, ServiceProcess, failed_start

NO_FOLDER = {"DATA_DIR": "/nonexistent"}


def entrypoint(log: Path, data_folder: Path, **environment: str) -> ServiceProcess:
    return ServiceProcess(log, command=ENTRYPOINT, DATA_DIR=str(data_folder), **environment)


@pytest.fixture(scope="module")
def data_folder(server_folder: Path) -> Path:
    return server_folder / "service"


@pytest.fixture
def service(data_folder: Path, tmp_path: Path) -> Iterator[ServiceProcess]:
    with entrypoint(tmp_path / "log", data_folder) as service:
        yield service


def test_it_prints_its_addresses_and_leaves_no_process_behind(service: ServiceProcess, data_folder: Path) -> None:
    family = family_of(service)
    assert {"postgres", "valkey-server"} <= {process.name() for process in family}
    assert service.stop(signal.SIGINT) == 0
    for address in (f"{service.url}/desk", f"{service.url}/tickets", f"{service.url}/docs", str(data_folder)):
        assert address in service.output
    assert not FAULT.search(service.output)
    assert alive(family) == []


def test_a_ticket_runs_through_its_statuses_and_survives_a_restart(service: ServiceProcess) -> None:
    created = service.request("POST", "/tickets", a_ticket())
    assert created.status == 201
    path = f"/tickets/{created.json()['id']}"
    assert service.request("POST", f"{path}/comments", a_comment(status="answered")).status == 201
    for status in ("awaiting_reply", "answered", "closed"):
        assert service.request("PATCH", path, {"status": status}).status == 200
    assert service.request("POST", f"{path}/comments", a_comment()).status == 409
    before = service.request("GET", path)
    assert service.stop() == 0
    service.start()
    after = service.request("GET", path)
    assert (after.status, after.json()) == (200, before.json())


def test_acknowledged_writes_survive_the_death_of_every_process(service: ServiceProcess) -> None:
    tickets = [service.request("POST", "/tickets", a_ticket(subject=f"ticket {number}")).json() for number in range(20)]
    for ticket in tickets:
        path = f"/tickets/{ticket['id']}/comments"
        assert service.request("POST", path, a_comment(status="answered")).status == 201
    for process in reversed(family_of(service)):  # the parent last: its end would end the others
        with suppress(psutil.NoSuchProcess):
            process.kill()
    service.wait()

    service.start()
    for ticket in tickets:
        response = service.request("GET", f"/tickets/{ticket['id']}")
        found = response.json()
        assert (response.status, found["subject"], found["version"], found["status"], len(found["comments"])) == (
            200,
            ticket["subject"],
            2,
            "answered",
            1,
        )


def test_every_child_ends_when_the_parent_is_killed(service: ServiceProcess) -> None:
    family = family_of(service)
    assert service.stop(signal.SIGKILL) == -signal.SIGKILL
    gone, alive = psutil.wait_procs(family, timeout=20)
    assert not alive
    assert gone


@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_of_the_terminal_stops_the_service_and_its_servers(service: ServiceProcess, signum: int) -> None:
    family = family_of(service)
    assert service.stop(signal.Signals(signum)) == 0
    assert alive(family) == []


def test_a_second_signal_does_not_interrupt_the_stop_of_the_servers(service: ServiceProcess) -> None:
    family = family_of(service)
    postgres = [process for process in family if process.name() == "postgres"]
    for process in postgres:
        process.suspend()  # so that its stop takes long
    service.send_signal(signal.SIGINT)
    time.sleep(1)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        service.send_signal(signum)
    time.sleep(0.5)
    assert service.is_running
    for process in postgres:
        process.resume()
    assert service.wait() == 0
    assert alive(family) == []


def test_an_embedded_server_that_dies_is_restarted(service: ServiceProcess) -> None:
    (postgres,) = [
        process
        for process in family_of(service)
        if process.name() == "postgres" and process.ppid() == service.process.pid
    ]
    postgres.kill()
    deadline = time.monotonic() + START_TIMEOUT_S
    while service.request("POST", "/tickets", a_ticket()).status != 201:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_two_instances_can_not_share_their_data_or_their_port(
    service: ServiceProcess, data_folder: Path, tmp_path: Path
) -> None:
    assert_fails_to_start(tmp_path, {"DATA_DIR": str(data_folder)}, "in use by another instance")
    port = str(service.port)
    assert_fails_to_start(tmp_path, NO_FOLDER | {"PORT": port}, f"listen on 127.0.0.1:{port}")


def test_several_workers_serve(data_folder: Path, tmp_path: Path) -> None:
    with entrypoint(tmp_path / "log", data_folder, WORKERS="2") as service:
        family = family_of(service)
        assert service.request("POST", "/tickets", a_ticket()).status == 201
        assert service.stop() == 0
    assert alive(family) == []


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"DATABASE_DSN": "mysql://nobody@127.0.0.1/x"}, "DATABASE_DSN: "),
        ({"PORT": "many"}, "PORT: "),
        ({"HOST": "no.such.host.invalid"}, "listen on no.such.host.invalid"),
        ({"DATA_DIR": "/proc/nowhere"}, "DATA_DIR "),
        ({"DATABASE_DSN": "postgresql://u@h:port/d"}, "DATABASE_DSN: "),
        ({"HOST": "a..b"}, "listen on a..b"),
        ({"REDIS_HOST": "a:b:c"}, "REDIS_HOST: "),
    ],
)
def test_an_invalid_setting_is_reported_in_one_line(tmp_path: Path, environment: dict[str, str], line: str) -> None:
    assert_fails_to_start(tmp_path, NO_FOLDER | environment, line)


def test_an_unreachable_database_is_reported_in_one_line_without_its_password(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        configured = NO_FOLDER | {
            "DATABASE_DSN": f"postgresql://tickets:pass-word@127.0.0.1:{unused.getsockname()[1]}/tickets",
            "REDIS_HOST": "127.0.0.1",
            "STARTUP_TIMEOUT": "0.5",
        }
        output = assert_fails_to_start(tmp_path, configured, "DATABASE_DSN", lines=2)
    assert "waiting up to 0.5 s for PostgreSQL: " in output
    assert "pass-word" not in output


@pytest.mark.parametrize(
    ("change", "reason"),
    [(":wrong@", "password authentication failed"), ("/nothing", 'database "nothing" does not exist')],
)
def test_a_database_that_refuses_the_connection_is_reported_in_one_line(
    postgres_dsn: str, tmp_path: Path, change: str, reason: str
) -> None:
    dsn = re.sub(r":[^:/]+@" if "@" in change else r"/\w+$", change, postgres_dsn)
    configured = NO_FOLDER | {"DATABASE_DSN": dsn, "REDIS_HOST": "127.0.0.1"}
    output = assert_fails_to_start(tmp_path, configured, reason)
    assert dsn not in output


def test_a_missing_python_is_reported_in_one_line(tmp_path: Path) -> None:
    for command in ("bash", "env", "dirname", "readlink"):
        (tmp_path / command).symlink_to(Path("/usr/bin") / command)
    (script,) = ENTRYPOINT
    copy = tmp_path / "project"
    copy.mkdir()
    (copy / "entrypoint.sh").write_bytes(script.read_bytes())
    ran = subprocess.run(
        ["/bin/bash", copy / "entrypoint.sh"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert ran.returncode != 0
    assert ran.stderr.startswith("entrypoint.sh: Python 3.11 or newer is needed")
    assert ran.stderr.count("\n") == 1


def family_of(service: ServiceProcess) -> list[psutil.Process]:
    """Return the process and its descendants."""
    parent = psutil.Process(service.process.pid)
    return [parent, *parent.children(recursive=True)]


def alive(family: list[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that run. A process that has ended but was not collected by its new parent does not."""
    return [process for process in family if _runs(process)]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended in between
        return False


def assert_fails_to_start(folder: Path, environment: dict[str, str], line: str, *, lines: int = 1) -> str:
    """Check that a start fails with so many lines, and return them."""
    log = folder / f"refused-{len(list(folder.iterdir()))}"
    service = failed_start(log, command=ENTRYPOINT, **environment)
    assert service.process.returncode == 1, service.output
    assert line in service.output
    assert service.output.splitlines()[-1].startswith("tickets: ")
    assert service.output.count("\n") == lines
    return service.output
