"""The files of the project agree with each other: settings, Pipfile, lock, sources."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from core.settings import ROOT, Settings, async_dsn
from db.postgres.database import Database
from lock import without_sources
from requirements import requirements

LOCK: dict[str, Any] = json.loads((ROOT / "Pipfile.lock").read_text())
# Only docker-compose reads these.
COMPOSE_ONLY = {"POSTGRES_PASSWORD", "COMPOSE_PROJECT_NAME"}


def documented_in_example() -> set[str]:
    return set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_the_example_names_every_setting_and_no_other() -> None:
    assert documented_in_example() - COMPOSE_ONLY == {name.upper() for name in Settings.model_fields}


def test_the_example_is_valid_without_changes() -> None:
    settings = Settings(_env_file=ROOT / ".env.example")
    assert settings.database_dsn is not None
    assert settings.redis_host == "127.0.0.1"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://u:p%40@h/d", "postgresql+asyncpg://u:p%40@h/d"),
        ("postgresql+psycopg://u@h:1/d?sslmode=require", "postgresql+asyncpg://u@h:1/d?ssl=require"),
        (
            "postgresql://u:p@a:1,b/d",
            "postgresql+asyncpg://u:p@/d?host=a%3A1&host=b%3A5432&target_session_attrs=primary",
        ),
    ],
)
def test_a_dsn_is_read_as_libpq_reads_it(given: str, used: str) -> None:
    assert async_dsn(given) == used
    create_async_engine(used)  # the engine that migrations use
    Database(used, pool_size=1)


def test_redis_host_accepts_several_nodes() -> None:
    settings = Settings(_env_file=None, redis_host="a, b:7000", redis_port=6380)
    assert settings.redis_nodes == [("a", 6380), ("b", 7000)]


def test_the_representation_of_the_settings_hides_secrets() -> None:
    settings = Settings.model_validate({"database_dsn": "postgresql://tickets:pass-word@127.0.0.1/tickets"})
    assert "pass-word" not in repr(settings)


def test_the_pipfile_and_its_lock_name_no_package_index() -> None:
    assert "source" not in tomllib.loads((ROOT / "Pipfile").read_text())
    assert without_sources(LOCK) == LOCK
    assert LOCK["_meta"]["sources"] == []


def test_relocking_removes_the_package_index() -> None:
    package = {"version": "==1.0", "hashes": ["sha256:0"]}
    written = {
        "_meta": {"hash": {"sha256": "0"}, "sources": [{"name": "somewhere"}]},
        "default": {"thing": package | {"index": "somewhere"}},
    }
    assert without_sources(written) == {
        "_meta": {"hash": {"sha256": "0"}, "sources": []},
        "default": {"thing": package},
    }


def test_every_pinned_package_has_a_version_and_hashes() -> None:
    lines = list(requirements(LOCK, ["default", "develop"]))
    assert len(lines) == len(LOCK["default"] | LOCK["develop"])
    for line in lines:
        assert re.fullmatch(r"[a-z0-9._-]+(\[[a-z0-9,._-]+\])?==\S+( ; .+?)?( --hash=sha256:[0-9a-f]{64})+", line)


@pytest.mark.parametrize("path", sorted((ROOT / "src").rglob("*.py")), ids=lambda path: path.name)
def test_a_source_file_has_at_most_300_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("write", ["update(tickets)", "insert(tickets)", "insert(comments)", "insert(events)"])
def test_there_is_one_way_to_write(write: str) -> None:
    sources = {path: path.read_text() for path in (ROOT / "src").rglob("*.py") if "migrations" not in path.parts}
    found = [path.name for path, text in sources.items() if write in text]
    assert found == ["save_statement.py"]
    by_hand = re.compile(r"(UPDATE|INSERT INTO|DELETE FROM) (tickets|comments|ticket_events)")
    assert not [path for path, text in sources.items() if by_hand.search(text)]
