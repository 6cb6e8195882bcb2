"""What must stay secret is in no log, no answer and no message, at the start and whatever goes wrong."""

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
    return urlsplit(dsn).password or "the server asks for no password"


def test_a_service_whose_cache_refuses_its_password_tells_no_secret(
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


@pytest.mark.skipif("DATABASE_DSN" in os.environ, reason="a server of somebody else's may ask for no password")
def test_a_wrong_password_of_postgresql_is_told_without_it(database_dsn: str, tmp_path: Path) -> None:
    said = said_by(SERVE, tmp_path, DATABASE_DSN=database_dsn.replace(password_in(database_dsn), SECRET))
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
def test_a_service_that_can_not_start_tells_why_and_no_secret(
    command: Sequence[str | Path], dsn: str, tmp_path: Path
) -> None:
    said = said_by(command, tmp_path, DATABASE_DSN=dsn, REDIS_PASSWORD=SECRET)
    assert "database_dsn" in said.lower()
    assert SECRET not in said


def said_by(command: Sequence[str | Path], folder: Path, **settings: str) -> str:
    """Return the output of a service that can not start."""
    environment = {"REDIS_HOST": "127.0.0.1", "STARTUP_TIMEOUT": "0"} | settings
    return failed_start(folder / "log", command=command, **environment).output


def test_settings_that_are_wrong_are_not_repeated() -> None:
    with pytest.raises(ValidationError) as wrong:
        Settings.model_validate({"database_dsn": f"mysql://u:{SECRET}@h/d", "redis_password": f"{SECRET}"})
    assert SECRET not in f"{wrong.value!r} {wrong.value}"


def test_every_setting_that_is_a_secret_is_kept_as_one() -> None:
    secretive = {
        name
        for name, field in Settings.model_fields.items()
        if any(word in name for word in ("password", "secret", "dsn", "token")) or name.endswith("_key")
    }
    assert secretive
    for name in secretive:
        assert SecretStr.__name__ in str(Settings.model_fields[name]), name
