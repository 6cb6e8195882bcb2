"""`docker-compose.yml` is accepted by docker-compose 1.29, the package of Debian 12, and by Compose v2."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.settings import ROOT, Settings
from support.programs import require_program

PASSWORD = "pass-word_1"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the compose file, and with the example settings as `.env`, as the README says."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("docker-compose.yml", "Dockerfile"):
        shutil.copy(ROOT / name, project)
    shutil.copy(ROOT / ".env.example", project / ".env")
    return project


def config(project: Path, *options: str) -> dict[str, Any]:
    """Return the services as the installed docker-compose reads them. No container engine is needed for it."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(project), "POSTGRES_PASSWORD": PASSWORD}
    command = [require_program("docker-compose"), *options, "config"]
    ran = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    services: dict[str, Any] = yaml.safe_load(ran.stdout)["services"]
    return services


def test_the_databases_start_without_the_service(project: Path) -> None:
    services = config(project)
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"] == PASSWORD
    assert {name for name in services if name.startswith("redis")} == {
        *("redis", "redis-cluster"),
        *(f"redis-{number}" for number in range(1, 7)),
    }
    assert all(services[f"redis-{number}"]["network_mode"] == "service:redis" for number in range(1, 7))


def test_the_service_gets_the_settings_of_the_example(project: Path) -> None:
    environment = config(project, "--profile", "service")["service"]["environment"]
    assert environment["DATABASE_DSN"] == f"postgresql://tickets:{PASSWORD}@postgres:5432/tickets"
    names = {name.upper() for name in Settings.model_fields}
    assert names <= set(environment)
    # An empty variable has its default.
    given = {name.lower(): str(value) for name, value in environment.items() if name in names and value != ""}
    assert Settings.model_validate(given).redis_nodes == [("127.0.0.1", 6379)]


def test_a_service_starts_also_when_the_cluster_cannot_be_formed(project: Path) -> None:
    depends_on = config(project, "--profile", "service")["service"]["depends_on"]
    assert {name: dependency["condition"] for name, dependency in depends_on.items()} == {
        "postgres": "service_healthy",
        "redis": "service_started",
        "redis-cluster": "service_started",
    }


def test_the_file_needs_nothing_that_only_compose_v2_knows() -> None:
    file = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert "name" not in file
    written = json.dumps(file)
    assert '"restart": true' not in written
    assert '"required"' not in written
