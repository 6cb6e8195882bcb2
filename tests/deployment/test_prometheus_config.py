"""The example configuration of Prometheus is valid, and scrapes the service with a monitor key."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.settings import ROOT
from support.programs import require_program

FOLDER = ROOT / "deploy/prometheus"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the configuration with a key in the file that it names."""
    folder = tmp_path / "prometheus"
    shutil.copytree(FOLDER, folder)
    (folder / job()["authorization"]["credentials_file"]).write_text("tk_key\n")
    return folder


def job() -> dict[str, Any]:
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    assert isinstance(job, dict)
    return job


def test_promtool_accepts_the_configuration_and_its_rules(folder: Path) -> None:
    command = [require_program("promtool"), "check", "config", str(folder / "prometheus.yml")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 rule files found" in ran.stdout


def test_the_job_has_the_name_of_the_alerts_and_scrapes_the_default_path() -> None:
    assert f'up{{job="{job()["job_name"]}"}}' in (FOLDER / "alerts.yml").read_text()
    assert job().get("metrics_path", "/metrics") == "/metrics"


def test_the_key_is_in_a_file_of_its_own_that_git_ignores() -> None:
    assert set(job()["authorization"]) == {"credentials_file"}
    assert "deploy/prometheus/*.key" in (ROOT / ".gitignore").read_text().splitlines()
    assert job()["authorization"]["credentials_file"].endswith(".key")
