"""The service starts and runs while no file can be written."""

import os
import shlex
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from core.settings import Settings
from observation.processes import SERVE, started, value
from observation.workers import eventually, only, workers

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


def on_a_small_folder(command: Sequence[str | Path]) -> list[str | Path]:
    """Return a command that runs `command` with a file system of 64 KiB in TMPDIR."""
    return [*NAMESPACE, "sh", "-c", f"{MOUNT} && exec {shlex.join(map(str, command))}"]


def fill(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Fill the file system that a process sees in `folder`."""
    filler = Path(f"/proc/{process.pid}/root{folder}/filler")
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_several_workers_serve_and_count_with_a_full_temporary_folder(
    settings: Settings, temporary_folder: Path, tmp_path: Path
) -> None:
    command = on_a_small_folder(SERVE)
    with started(settings, tmp_path / "log", command=command, WORKERS="2", TMPDIR=str(temporary_folder)) as service:
        fill(temporary_folder, service.process)
        both = workers(eventually(service, lambda samples: len(workers(samples)) == 2))
        for worker in both:
            with only(worker, service):
                for _ in range(10):
                    assert service.ask("GET", "/workflow")[0] == 200
        for worker in both:
            with only(worker, service):
                assert value(service.metrics(), COUNT, route="/workflow", status="200") == 20
        assert workers(service.metrics()) == both
