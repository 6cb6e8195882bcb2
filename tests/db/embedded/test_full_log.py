"""Embedded servers run without a log that can be written."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from db.embedded.process import spawn, stop
from db.embedded.valkey import ValkeyNode


def test_valkey_runs_with_its_log_on_a_full_device(server_folder: Path) -> None:
    node = ValkeyNode(server_folder / "valkey-with-a-full-log")
    node._log = Path("/dev/full")  # noqa: SLF001 - its folder is emptied at the start
    try:
        node.start()
        with node.client() as client:
            client.config_set("loglevel", "debug")
            assert client.ping()
        assert node.is_running
    finally:
        node.stop()


def test_a_process_whose_log_cannot_be_opened_runs_without_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = spawn([sys.executable, "-c", "print('unheard')"], log=tmp_path / "no-such-folder" / "log")
    try:
        assert process.wait(20) == 0
    except subprocess.TimeoutExpired:
        stop(process, with_signal=signal.SIGKILL, timeout_s=5)
        raise
    assert "the output of an embedded server is discarded" in caplog.text
