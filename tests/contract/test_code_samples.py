"""Each code sample of the document runs unchanged and receives the documented success."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

from core.settings import ROOT
from db.postgres.database import Database
from models import Role
from services.access.api_keys import ApiKeys
from support.api_calls import a_person
from support.factories import JSON, NewDatabase, a_ticket, settings_for
from support.openapi_document import operations
from support.programs import require_program
from support.service_process import ServiceProcess

DOCUMENT: JSON = json.loads((ROOT / "openapi.json").read_text())
INTERPRETERS = {"Shell": ["/bin/sh", "-euc"], "Python": [sys.executable, "-c"]}
TIMEOUT_S = 30
# The only parts of a sample that a test replaces: the resources of the example, by new ones, and values that must be
# unique.
EXAMPLE_PATHS = ("/tickets/1", "/people/person:1", "/groups/1", "/keys/4fPq0Zt9", "/members/person:1")
UNIQUE = ("alice@example.com", "Network", "crm")


@pytest.fixture(scope="module")
async def environment(
    migrated_database: NewDatabase, redis_address: tuple[str, int], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, str]]:
    """The variables that samples read, for a service that requires credentials."""
    async with migrated_database() as dsn:
        database = Database(dsn, pool_size=1)
        await ApiKeys(database).create("crm", Role.AGENT)
        key, _ = await ApiKeys(database).create("samples", Role.ADMIN, None)
        await database.close()
        settings = settings_for(dsn, *redis_address, allow_anonymous=False)
        async with ServiceProcess(tmp_path_factory.mktemp("samples") / "log", settings) as service:
            yield {"TICKETS_URL": service.url, "TICKETS_KEY": str(key), "PATH": os.environ["PATH"]}


def samples() -> Iterator[Any]:
    for name, operation in operations(DOCUMENT).items():
        for sample in operation["x-codeSamples"]:
            yield pytest.param(name, sample, id=f"{name} in {sample['label']}")


@pytest.mark.parametrize(("name", "sample"), list(samples()))
def test_a_sample_runs(environment: dict[str, str], name: str, sample: dict[str, str], tmp_path: Path) -> None:
    if sample["label"] == "curl":
        require_program("curl")
    source = sample["source"]
    for path in EXAMPLE_PATHS:
        if path in source:
            source = source.replace(path, new_resource(environment, path))
    if name in {"create_person", "create_group", "change_group", "create_key"}:
        for value in UNIQUE:
            source = source.replace(value, f"{secrets.token_hex(4)}-{value}")
    done = subprocess.run(
        [*INTERPRETERS[sample["lang"]], source],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    Draft202012Validator(success_schema(name)).validate(json.loads(done.stdout))


def new_resource(environment: dict[str, str], path: str) -> str:
    """Create the resource that stands for an example; return its path."""
    _, collection, id_ = path.split("/")
    bodies = {
        "tickets": a_ticket(),
        "people": a_person(),
        "groups": {"name": secrets.token_hex(6)},
        "keys": {"name": secrets.token_hex(6), "role": "agent"},
    }
    kind = "people" if id_.startswith("person:") else collection
    created = httpx2.post(
        f"{environment['TICKETS_URL']}/{kind}",
        json=bodies[kind],
        headers={"Authorization": f"Bearer {environment['TICKETS_KEY']}"},
        trust_env=False,
    )
    assert created.status_code == 201, created.text
    return f"/{collection}/{created.json()['id']}"


def success_schema(name: str) -> JSON:
    """Return the schema of the success of an operation. No problem is valid by it: it lacks the required members."""
    statuses = operations(DOCUMENT)[name]["responses"]
    success = next(response for status, response in statuses.items() if status.startswith("2"))
    schema: JSON = success["content"]["application/json"]["schema"]
    return schema | {"components": DOCUMENT["components"]}
