"""Each code sample of the document runs unchanged and receives the documented success."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

from contract.prepared import examples_of, prepared_body, prepared_path, unique
from core.settings import ROOT
from db.postgres.database import Database
from models import Role
from services.access.api_keys import ApiKeys
from support.factories import JSON, NewDatabase, a_ticket, settings_for
from support.openapi_document import operations
from support.programs import require_program
from support.service_process import ServiceProcess

DOCUMENT: JSON = json.loads((ROOT / "openapi.json").read_text())
INTERPRETERS = {"Shell": ["/bin/sh", "-euc"], "Python": [sys.executable, "-c"]}
TIMEOUT_S = 30
# The only parts of a sample that a test replaces: the resources of the example, by new ones, and unique values.
EXAMPLES = {name: examples_of(operation) for name, operation in operations(DOCUMENT).items()}


@pytest.fixture(scope="module")
async def environment(
    migrated_database: NewDatabase, redis_address: tuple[str, int], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, str]]:
    """The variables that samples read, for a service that requires credentials."""
    async with migrated_database() as dsn:
        database = Database(dsn, pool_size=1)
        key, _ = await ApiKeys(database).create("samples", Role.ADMIN)
        await database.close()
        settings = settings_for(dsn, *redis_address, allow_anonymous=False)
        async with ServiceProcess(tmp_path_factory.mktemp("samples") / "log", settings) as service:
            yield {"TICKETS_URL": service.url, "TICKETS_KEY": str(key), "PATH": os.environ["PATH"]}


def samples() -> Iterator[Any]:
    calls = ((path, operation) for path, methods in DOCUMENT["paths"].items() for operation in methods.values())
    for path, operation in calls:
        name = operation["operationId"]
        for sample in operation["x-codeSamples"]:
            yield pytest.param(path, name, sample, id=f"{name} in {sample['label']}")


@pytest.mark.parametrize(("path", "name", "sample"), list(samples()))
async def test_a_sample_runs(
    environment: dict[str, str], path: str, name: str, sample: dict[str, str], tmp_path: Path
) -> None:
    if sample["label"] == "curl":
        require_program("curl")
    source = await prepared(environment, path, name, sample["source"])
    done = await asyncio.to_thread(
        subprocess.run,
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


async def prepared(environment: dict[str, str], path: str, name: str, source: str) -> str:
    """Return the sample with new resources in place of those of the examples."""
    headers = {"Authorization": f"Bearer {environment['TICKETS_KEY']}"}
    async with httpx2.AsyncClient(base_url=environment["TICKETS_URL"], headers=headers, trust_env=False) as client:
        parameters = EXAMPLES[name]
        target = await prepared_path(client, name, path, parameters)
        source = source.replace(path.format_map(parameters), target)
        if "?ticket_id=1" in source:
            ticket = (await client.post("/tickets", json=a_ticket())).raise_for_status().json()
            source = source.replace("?ticket_id=1", f"?ticket_id={ticket['id']}")
        for field, value in (("into", 2), ("calendar_id", 1)):
            if f'"{field}": {value}' in source:
                body = await prepared_body(client, name, {field: value})
                assert body is not None
                source = source.replace(f'"{field}": {value}', f'"{field}": {body[field]}')
        return str(unique(name, source))


def success_schema(name: str) -> JSON:
    """Return the schema of the success of an operation. No problem is valid by it: it lacks the required members."""
    statuses = operations(DOCUMENT)[name]["responses"]
    success = next(response for status, response in statuses.items() if status.startswith("2"))
    schema: JSON = success["content"]["application/json"]["schema"]
    return schema | {"components": DOCUMENT["components"]}
