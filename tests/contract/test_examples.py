"""Each example of a request in the document succeeds on a new ticket."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx2
import pytest

from core.settings import ROOT
from db.postgres.database import Database
from models import Role
from services.access.api_keys import ApiKeys
from support.api_calls import a_person, created
from support.factories import JSON, a_comment, open_ticket

DOCUMENT: JSON = json.loads((ROOT / "openapi.json").read_text())
OPERATIONS = [
    (method, path, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]


def bodies() -> Iterator[Any]:
    for method, path, operation in OPERATIONS:
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            for name, example in content["examples"].items():
                case = f"{operation['operationId']} as {media_type}: {name}"
                yield pytest.param(method, path, media_type, example["value"], id=case)


def parameters() -> Iterator[Any]:
    for method, path, operation in OPERATIONS:
        for parameter in operation.get("parameters", ()):
            for example in parameter["schema"].get("examples", ()):
                case = f"{operation['operationId']} with {parameter['name']}: {example}"
                yield pytest.param((method, path, operation), parameter, example, id=case)


class Resources:
    """Makes the resources that the paths of the document name."""

    def __init__(self, client: httpx2.AsyncClient, admin: dict[str, str]) -> None:
        self.admin = admin
        self._client = client

    async def path(self, template: str) -> str:
        """Return a path with the ids of new resources."""
        person = await self._created("/people", a_person())
        return template.format(
            ticket_id=(await open_ticket(self._client))["id"],
            person_id=person,
            principal_id=person,
            group_id=await self._created("/groups", {"name": secrets.token_hex(6)}),
            key_id=await self._created("/keys", {"name": secrets.token_hex(6), "role": "agent"}),
        )

    async def _created(self, path: str, body: JSON) -> str:
        return str((await created(self._client, path, body, self.admin))["id"])


@pytest.fixture
async def resources(client: httpx2.AsyncClient, sql: asyncpg.Connection, database_dsn: str) -> Resources:
    # Other tests may have used the names of the examples.
    await sql.execute("""
        DELETE FROM idempotency_keys; DELETE FROM group_members; DELETE FROM groups; DELETE FROM api_keys;
        UPDATE principals SET email = NULL WHERE kind = 'person'
    """)
    database = Database(database_dsn, pool_size=1)
    key, _ = await ApiKeys(database).create("examples", Role.ADMIN)
    await database.close()
    return Resources(client, {"Authorization": f"Bearer {key}"})


@pytest.mark.parametrize(("method", "path", "media_type", "body"), list(bodies()))
async def test_a_body_succeeds(
    client: httpx2.AsyncClient, resources: Resources, method: str, path: str, media_type: str, body: Any
) -> None:
    headers = {"Content-Type": media_type} | resources.admin
    response = await client.request(method, await resources.path(path), content=json.dumps(body), headers=headers)
    assert response.status_code in {200, 201}, response.text
    shown = response.json()
    if path.startswith("/tickets"):
        now = (await client.get(f"/tickets/{shown.get('ticket_id', shown['id'])}")).json()
        shown = now | shown | {"status": now["status"]}
    assert body.items() <= shown.items()


@pytest.mark.parametrize(("call", "parameter", "example"), list(parameters()))
async def test_a_parameter_succeeds(
    client: httpx2.AsyncClient, resources: Resources, call: tuple[str, str, JSON], parameter: JSON, example: Any
) -> None:
    method, template, operation = call
    path = await resources.path(template)
    if parameter["name"] == "cursor":
        example = await next_cursor(client, resources, path)
    headers, query = dict(resources.admin), {}
    if parameter["in"] == "header":
        headers[parameter["name"]] = example
    elif parameter["in"] == "query":
        query[parameter["name"]] = example
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    body = next(iter(content["examples"].values()))["value"] if content else None
    response = await client.request(method, path, json=body, params=query, headers=headers)
    assert response.is_success or response.status_code == 304, response.text


async def next_cursor(client: httpx2.AsyncClient, resources: Resources, path: str) -> str:
    """Return a cursor of a list with more than one item: the service accepts only cursors that it issued."""
    await resources.path("")
    if path.startswith("/tickets/"):
        for _ in range(2):
            await client.post(f"/tickets/{path.split('/')[2]}/comments", json=a_comment())
    response = await client.get(path, params={"limit": 1}, headers=resources.admin)
    cursor: str = response.json()["next_cursor"]
    return cursor


def test_every_operation_with_a_body_has_an_example() -> None:
    shown = {case.id.partition(" ")[0] for case in bodies() if case.id}
    assert shown == {operation["operationId"] for _, _, operation in OPERATIONS if "requestBody" in operation}
    assert len(list(bodies())) == 1 + 2 * 3 + 2 + 3 + 2 * (3 + 2)


async def test_an_invalid_merge_patch_is_refused_like_an_invalid_json_body(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    headers = {"Content-Type": "application/merge-patch+json; charset=utf-8"}
    response = await client.patch(f"/tickets/{ticket['id']}", content='{"subject": null}', headers=headers)
    assert response.status_code == 422
    assert [part["pointer"] for part in response.json()["errors"]] == ["#/subject"]
    response = await client.patch(f"/tickets/{ticket['id']}", content="{", headers=headers)
    assert response.status_code == 400
    for other in ("application/merge-patch", "text/plain", "application/jsonl"):
        response = await client.patch(f"/tickets/{ticket['id']}", content="{}", headers={"Content-Type": other})
        assert (response.status_code, response.json()["type"]) == (415, "/problems/unsupported-media-type")
