"""Each example of a request in the document succeeds on a new ticket."""

import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx2
import pytest

from core.settings import ROOT
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


@pytest.mark.parametrize(("method", "path", "media_type", "body"), list(bodies()))
async def test_a_body_succeeds(client: httpx2.AsyncClient, method: str, path: str, media_type: str, body: Any) -> None:
    ticket = await open_ticket(client)
    response = await client.request(
        method, path.format(ticket_id=ticket["id"]), content=json.dumps(body), headers={"Content-Type": media_type}
    )
    assert response.status_code in {200, 201}, response.text
    now = (await client.get(f"/tickets/{response.json().get('ticket_id', response.json()['id'])}")).json()
    assert body.items() <= (now | response.json() | {"status": now["status"]}).items()


@pytest.mark.parametrize(("call", "parameter", "example"), list(parameters()))
async def test_a_parameter_succeeds(
    client: httpx2.AsyncClient, sql: asyncpg.Connection, call: tuple[str, str, JSON], parameter: JSON, example: Any
) -> None:
    method, path, operation = call
    ticket = await open_ticket(client)
    # Another test may have used the key of the example.
    await sql.execute("DELETE FROM idempotency_keys")
    if parameter["name"] == "cursor":
        example = await next_cursor(client, path.format(ticket_id=ticket["id"]))
    headers, query = {}, {}
    if parameter["in"] == "header":
        headers[parameter["name"]] = example
    elif parameter["in"] == "query":
        query[parameter["name"]] = example
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    body = next(iter(content["examples"].values()))["value"] if content else None
    response = await client.request(
        method, path.format(ticket_id=ticket["id"]), json=body, params=query, headers=headers
    )
    assert response.is_success or response.status_code == 304, response.text


async def next_cursor(client: httpx2.AsyncClient, path: str) -> str:
    """Return a cursor of a list with more than one item: the service accepts only cursors that it issued."""
    if path == "/tickets":
        await open_ticket(client)
    else:
        for _ in range(2):
            await client.post(f"/tickets/{path.split('/')[2]}/comments", json=a_comment())
    cursor: str = (await client.get(path, params={"limit": 1})).json()["next_cursor"]
    return cursor


def test_every_operation_with_a_body_has_an_example() -> None:
    shown = {case.id.partition(" ")[0] for case in bodies() if case.id}
    assert shown == {operation["operationId"] for _, _, operation in OPERATIONS if "requestBody" in operation}
    assert len(list(bodies())) == 1 + 2 * 3 + 2


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
