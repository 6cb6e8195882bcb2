"""Each example of a request in the document succeeds on a new ticket."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest

from contract.prepared import examples_of, prepared_body, prepared_path, remind
from core.settings import ROOT
from db.postgres.database import Database
from models import Role
from services.access.api_keys import ApiKeys
from support.api_calls import a_person
from support.desk import a_reply
from support.factories import JSON, NewDatabase, a_comment, a_ticket, open_ticket, running, settings_for

TIMEOUT_S = 10
DOCUMENT: JSON = json.loads((ROOT / "openapi.json").read_text())
OPERATIONS = [
    (method, path, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]


def bodies() -> Iterator[Any]:
    for method, path, operation in OPERATIONS:
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            for name, example in content["examples"].items():
                case = f"{operation['operationId']} as {media_type}: {name}"
                yield pytest.param((method, path, operation), media_type, example["value"], id=case)


def parameters() -> Iterator[Any]:
    for method, path, operation in OPERATIONS:
        for parameter in operation.get("parameters", ()):
            for example in parameter["schema"].get("examples", ()):
                case = f"{operation['operationId']} with {parameter['name']}: {example}"
                yield pytest.param((method, path, operation), parameter, example, id=case)


@pytest.fixture(scope="module")
async def admin(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an admin, of a service with a database of its own: the examples define fields, too."""
    async with migrated_database() as dsn:
        database = Database(dsn, pool_size=1)
        key, _ = await ApiKeys(database).create("examples", Role.ADMIN)
        await database.close()
        async with running(settings_for(dsn, *redis_address, allow_anonymous=False)) as (_, client):
            client.headers["Authorization"] = f"Bearer {key}"
            yield client


@pytest.mark.parametrize(("call", "media_type", "body"), list(bodies()))
async def test_a_body_succeeds(
    admin: httpx2.AsyncClient, call: tuple[str, str, JSON], media_type: str, body: JSON
) -> None:
    method, path, operation = call
    name = operation["operationId"]
    target = await prepared_path(admin, name, path, examples_of(operation))
    sent = await prepared_body(admin, name, body)
    assert sent is not None
    response = await admin.request(method, target, content=json.dumps(sent), headers={"Content-Type": media_type})
    assert response.status_code in {200, 201, 202}, response.text
    if not path.startswith("/tickets") or "/bulk" in path or name == "set_reminder":
        return
    now = (await admin.get(f"/tickets/{response.json().get('ticket_id', response.json()['id'])}")).json()
    stored = now | response.json() | {"status": now["status"], "into": now["id"]}
    if name != "put_ticket_by_external_id":  # another example may have created the ticket
        expected = sent | ({"tags": sorted(sent["tags"])} if "tags" in sent else {})
        assert {member: stored[member] for member in sent} == expected


@pytest.mark.parametrize(("call", "parameter", "example"), list(parameters()))
async def test_a_parameter_succeeds(
    admin: httpx2.AsyncClient, call: tuple[str, str, JSON], parameter: JSON, example: Any
) -> None:
    method, path, operation = call
    name = operation["operationId"]
    target = await prepared_path(admin, name, path, examples_of(operation))
    if parameter["name"] == "cursor":
        example = await next_cursor(admin, target)
    if parameter["name"] in {"If-Match", "If-None-Match"} and method != "GET" and "{ticket_id}" in path:
        # A ticket that is prepared for an operation has a later version than that of the example.
        ticket = await admin.get("/".join(target.split("/")[:3]))
        example = ticket.headers["ETag"] if parameter["name"] == "If-Match" else '"1000"'
    headers, query = {}, {}
    if parameter["in"] == "header":
        # Another case has used the idempotency key of the example.
        headers[parameter["name"]] = secrets.token_hex(8) if parameter["name"] == "Idempotency-Key" else example
    elif parameter["in"] == "query":
        query[parameter["name"]] = example
        if parameter["name"] in {"ticket", "ticket_id"}:
            query[parameter["name"]] = (await admin.post("/tickets", json=a_ticket())).json()["id"]
        if parameter["name"] == "source":
            query["external_id"] = "A-1001"
    for each in operation.get("parameters", ()):
        if each["in"] == "query" and each.get("required"):
            query.setdefault(each["name"], each["schema"]["examples"][0])
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    body = await prepared_body(admin, name, next(iter(content["examples"].values()))["value"] if content else None)
    response = await admin.request(method, target, json=body, params=query, headers=headers)
    assert response.is_success or response.status_code == 304, response.text


async def next_cursor(client: httpx2.AsyncClient, path: str) -> str:
    """Return a cursor of a list with more than one item: the service accepts only cursors that it issued."""
    collections: dict[str, Callable[[], JSON]] = {
        "/tickets": a_ticket,
        "/reminders": a_ticket,
        "/tags": lambda: a_ticket(tags=[secrets.token_hex(6)]),
        "/people": a_person,
        "/groups": lambda: {"name": secrets.token_hex(6)},
        "/canned-replies": a_reply,
        "/keys": lambda: {"name": secrets.token_hex(6), "role": "agent"},
    }
    target, body = (
        (path, collections[path]) if path in collections else (f"{path.rpartition('/')[0]}/comments", a_comment)
    )
    if path.endswith("/deliveries"):  # a webhook gets the events of tickets
        target, body = "/tickets", a_ticket
    target = "/tickets" if path in {"/tags", "/reminders"} else target
    for _ in range(2):
        created = await client.post(target, json=body())
        assert created.status_code == 201
        if path == "/reminders":
            await remind(client, created.json()["id"])
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            cursor: str | None = (await client.get(path, params={"limit": 1})).json()["next_cursor"]
            if cursor is not None:
                return cursor
            await asyncio.sleep(0.1)


def test_every_operation_with_a_body_has_an_example() -> None:
    shown = {case.id.partition(" ")[0] for case in bodies() if case.id}
    assert shown == {operation["operationId"] for _, _, operation in OPERATIONS if "requestBody" in operation}
    assert len(list(bodies())) > 10


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
