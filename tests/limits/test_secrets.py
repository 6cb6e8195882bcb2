"""Secrets are in no log, no response and no message, at startup and after any failure."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from pydantic import SecretStr, ValidationError

from core.settings import Settings
from support.factories import settings_for
from support.service_process import SERVE, UVICORN, ServiceProcess, failed_start

SECRET = "do-not-tell-anyone"


def password_in(dsn: str) -> str:
    return urlsplit(dsn).password or "the server needs no password"


def test_a_wrong_redis_password_is_not_disclosed(
    database_dsn: str, redis_address: tuple[str, int], tmp_path: Path
) -> None:
    settings = settings_for(database_dsn, *redis_address)
    wrong = {"REDIS_USERNAME": "nobody", "REDIS_PASSWORD": SECRET}
    with ServiceProcess(tmp_path / "log", settings, **wrong) as service:
        paths = ("/readyz", "/tickets", "/tickets/1")
        responses = [httpx2.get(f"{service.url}{path}", trust_env=False) for path in paths]
    sent = [f"{response.status_code} {response.headers} {response.text}" for response in responses]
    assert '"ready":true' in sent[0]
    assert '"cache":"unavailable"' in sent[0]
    for secret in (SECRET, password_in(database_dsn)):
        assert secret not in service.output
        assert secret not in "".join(sent)


@pytest.mark.skipif("DATABASE_DSN" in os.environ, reason="the configured server may need no password")
def test_a_wrong_postgresql_password_is_reported_without_it(database_dsn: str, tmp_path: Path) -> None:
    output = output_of(SERVE, tmp_path, DATABASE_DSN=database_dsn.replace(password_in(database_dsn), SECRET))
    assert "password authentication failed" in output
    assert SECRET not in output


@pytest.mark.parametrize(
    ("command", "dsn"),
    [
        (SERVE, f"postgresql://tickets:{SECRET}@127.0.0.1:x/tickets"),
        (SERVE, f"postgresql://tickets:{SECRET}@[::1/tickets"),
        (UVICORN, f"mysql://tickets:{SECRET}@127.0.0.1/tickets"),
    ],
)
def test_a_failed_start_is_explained_without_secrets(command: Sequence[str | Path], dsn: str, tmp_path: Path) -> None:
    output = output_of(command, tmp_path, DATABASE_DSN=dsn, REDIS_PASSWORD=SECRET)
    assert "database_dsn" in output.lower()
    assert SECRET not in output


def output_of(command: Sequence[str | Path], folder: Path, **settings: str) -> str:
    """Return the output of a service that can not start."""
    environment = {"REDIS_HOST": "127.0.0.1", "STARTUP_TIMEOUT": "0"} | settings
    return failed_start(folder / "log", command=command, **environment).output


def test_the_error_about_invalid_settings_contains_no_values() -> None:
    with pytest.raises(ValidationError) as wrong:
        Settings.model_validate({"database_dsn": f"mysql://u:{SECRET}@h/d", "redis_password": f"{SECRET}"})
    assert SECRET not in f"{wrong.value!r} {wrong.value}"


def test_every_secret_setting_has_a_secret_type() -> None:
    secret_names = {
        name
        for name, field in Settings.model_fields.items()
        if field.annotation is not bool
        and (any(word in name for word in ("password", "secret", "dsn", "token")) or name.endswith("_key"))
    }
    assert secret_names
    for name in secret_names:
        assert SecretStr.__name__ in str(Settings.model_fields[name]), name
