"""The service starts and runs while no file can be written."""

import json
import os
import shlex
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from core.settings import Settings
from observation.samples import metrics_of, value
from observation.workers import TIMEOUT_S, eventually, only, started, workers
from support.factories import a_ticket
from support.service_process import SERVE

LOST = "tickets_log_lines_lost_total"
COUNT = "tickets_http_request_duration_seconds_count"
# In a mount namespace of its own, which ends with the service.
NAMESPACE = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))
MOUNT = 'mount -t tmpfs -o size=64k none "$TMPDIR"'


@pytest.fixture
def temporary_folder(tmp_path: Path) -> Path:
    """The folder for temporary files of a service that `on_a_small_folder` runs."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = os.environ | {"TMPDIR": str(folder)}
    tried = subprocess.run(on_a_small_folder(["true"]), env=environment, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"this system does not let the user mount a file system: {tried.stderr}")
    return folder


def on_a_small_folder(command: Sequence[str | Path], redirection: str = "") -> list[str | Path]:
    """Return a command that runs `command` with a file system of 64 KiB in TMPDIR."""
    return [*NAMESPACE, "sh", "-c", f"{MOUNT} && exec {shlex.join(map(str, command))} {redirection}"]


def with_full_output(command: Sequence[str | Path]) -> list[str | Path]:
    """Return a command that runs `command` with stdout and stderr on a full device."""
    return ["sh", "-c", f"exec {shlex.join(map(str, command))} >/dev/full 2>/dev/full"]


def fill(folder: Path) -> Path:
    """Fill a file system, and return the file that does."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def routes_in(log: Path) -> list[str | None]:
    """Return the routes of the lines of a log; None for a line of something else than a request."""
    lines = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{") and line.endswith("}"))
    return [line.get("route") for line in lines]


def seen_by(process: subprocess.Popen[bytes], folder: Path) -> Path:
    """Return the folder as the process sees it in its mount namespace."""
    return Path(f"/proc/{process.pid}/root{folder}")


def test_several_workers_serve_and_count_with_a_full_temporary_folder(
    settings: Settings, temporary_folder: Path, tmp_path: Path
) -> None:
    command = on_a_small_folder(SERVE)
    with started(settings, tmp_path / "log", command=command, WORKERS="2", TMPDIR=str(temporary_folder)) as service:
        fill(seen_by(service.process, temporary_folder))
        both = workers(eventually(service, lambda samples: len(workers(samples)) == 2))
        for worker in both:
            with only(worker, service):
                for _ in range(10):
                    assert service.request("GET", "/workflow").status == 200
        for worker in both:
            with only(worker, service):
                assert value(metrics_of(service), COUNT, route="/workflow", status="200") == 20
        assert workers(metrics_of(service)) == both


@pytest.mark.parametrize("number", ["1", "2"])
def test_a_service_whose_output_cannot_be_written_serves_and_counts_the_lines(
    settings: Settings, tmp_path: Path, number: str
) -> None:
    with started(settings, tmp_path / "log", command=with_full_output(SERVE), WORKERS=number) as service:
        before = value(metrics_of(service), LOST)
        assert service.request("POST", "/tickets", a_ticket()).status == 201
        assert value(metrics_of(service), LOST) > before > 0
    assert service.process.returncode == 0


def test_embedded_servers_whose_logs_cannot_be_written_serve(
    settings: Settings, server_folder: Path, tmp_path: Path
) -> None:
    folder = server_folder / "full"
    (folder / "postgres").mkdir(parents=True)
    (folder / "postgres" / "log").symlink_to("/dev/full")
    servers = {"DATABASE_DSN": "", "REDIS_HOST": "", "DATA_DIR": str(folder)}
    with started(settings, tmp_path / "log", command=with_full_output(SERVE), **servers) as service:
        assert service.request("POST", "/tickets", a_ticket()).status == 201
    assert service.process.returncode == 0


def test_lines_are_written_again_when_a_full_disk_has_space(
    settings: Settings, temporary_folder: Path, tmp_path: Path
) -> None:
    command = on_a_small_folder(SERVE, redirection='2>"$TMPDIR/log"')
    with started(settings, tmp_path / "log", command=command, TMPDIR=str(temporary_folder)) as service:
        folder = seen_by(service.process, temporary_folder)
        filler = fill(folder)
        deadline = time.monotonic() + TIMEOUT_S
        while value(metrics_of(service), LOST) == 0:
            assert service.request("GET", "/workflow").status == 200
            assert time.monotonic() < deadline
        filler.unlink()
        for _ in range(2):
            assert service.request("GET", "/problems").status == 200
        deadline = time.monotonic() + TIMEOUT_S
        while routes_in(folder / "log")[-2:] != ["/problems", "/problems"]:
            assert time.monotonic() < deadline
