"""Secrets are in no log, no response and no message, at startup and after any failure."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from pydantic import SecretStr, ValidationError

from contract.served import served
from core.settings import ROOT, Settings
from db.embedded.process import free_port
from support.factories import settings_for

SECRET = "do-not-tell-anyone"
SERVE = ["src/serve.py"]
UVICORN = ["-m", "uvicorn", "--app-dir=src", "--factory", "main:create_app"]


def served_with_secrets(settings: Settings, log: Path, **others: str) -> list[str]:
    """Run a service, ask it a few things, and return what it answered."""
    assert settings.database_dsn is not None
    with served(settings, log, **others) as url:
        asked = [httpx2.get(f"{url}{path}", trust_env=False) for path in ("/readyz", "/tickets", "/tickets/1")]
        return [f"{answer.status_code} {answer.headers} {answer.text}" for answer in asked]


def password_in(dsn: str) -> str:
    return urlsplit(dsn).password or "the server needs no password"


def test_a_service_whose_cache_refuses_its_password_tells_no_secret(
    database_dsn: str, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    settings = settings_for(database_dsn, *redis_address)
    said = served_with_secrets(settings, tmp_path / "log", REDIS_USERNAME="nobody", REDIS_PASSWORD=SECRET)
    assert '"ready":true' in said[0]
    assert '"cache":"unavailable"' in said[0]
    log = (tmp_path / "log").read_text()
    for secret in (SECRET, password_in(database_dsn)):
        assert secret not in log
        assert secret not in "".join(said)


@pytest.mark.skipif("DATABASE_DSN" in os.environ, reason="a server of somebody else's may ask for no password")
def test_a_wrong_password_of_postgresql_is_told_without_it(database_dsn: str) -> None:
    said = said_by(SERVE, DATABASE_DSN=database_dsn.replace(password_in(database_dsn), SECRET))
    assert "password authentication failed" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("command", "dsn"),
    [
        (SERVE, f"postgresql://tickets:{SECRET}@127.0.0.1:x/tickets"),
        (SERVE, f"postgresql://tickets:{SECRET}@[::1/tickets"),
        (UVICORN, f"mysql://tickets:{SECRET}@127.0.0.1/tickets"),
    ],
)
def test_a_service_that_can_not_start_tells_why_and_no_secret(command: list[str], dsn: str) -> None:
    said = said_by(command, DATABASE_DSN=dsn, REDIS_PASSWORD=SECRET)
    assert "database_dsn" in said.lower()
    assert SECRET not in said


def said_by(command: list[str], **settings: str) -> str:
    """Run what does not start, and return what it said."""
    environment = {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "REDIS_HOST": "127.0.0.1",
        "STARTUP_TIMEOUT": "0",
        "PORT": str(free_port()),
    } | settings
    ran = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode != 0
    return ran.stdout + ran.stderr


def test_the_error_about_invalid_settings_contains_no_values() -> None:
    with pytest.raises(ValidationError) as wrong:
        Settings.model_validate({"database_dsn": f"mysql://u:{SECRET}@h/d", "redis_password": f"{SECRET}"})
    assert SECRET not in f"{wrong.value!r} {wrong.value}"


def test_every_secret_setting_has_a_secret_type() -> None:
    secret_names = {
        name
        for name, field in Settings.model_fields.items()
        if any(word in name for word in ("password", "secret", "dsn", "token")) or name.endswith("_key")
    }
    assert secret_names
    for name in secret_names:
        assert SecretStr.__name__ in str(Settings.model_fields[name]), name
