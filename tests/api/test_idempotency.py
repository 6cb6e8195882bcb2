"""A request that is repeated with the same idempotency key takes effect once."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from core.settings import Settings
from db.postgres.database import Database
from services.idempotency import DELETE_BATCH
from services.operation.maintenance import delete_expired_keys
from support.factories import a_comment, a_ticket, open_ticket


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(8)}


async def test_a_repeated_creation_returns_the_first_ticket(client: httpx2.AsyncClient, key: dict[str, str]) -> None:
    first = await client.post("/tickets", json=a_ticket(), headers=key)
    await client.patch(f"/tickets/{first.json()['id']}", json={"status": "closed"})
    again = await client.post("/tickets", json=a_ticket(), headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert (again.headers["Location"], again.headers["ETag"]) == (first.headers["Location"], '"1"')
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_a_repeated_comment_returns_the_first_comment(client: httpx2.AsyncClient, key: dict[str, str]) -> None:
    ticket = await open_ticket(client)
    path = f"/tickets/{ticket['id']}/comments"
    first = await client.post(path, json=a_comment(status="closed"), headers=key | {"If-Match": '"1"'})
    again = await client.post(path, json=a_comment(status="closed"), headers=key | {"If-Match": '"1"'})
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.json(), again.headers["ETag"]) == (first.json(), first.headers["ETag"])
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len((await client.get(path)).json()["items"]) == 1


async def test_a_key_is_valid_for_one_request(client: httpx2.AsyncClient, key: dict[str, str]) -> None:
    ticket, other = await open_ticket(client), await open_ticket(client)
    path = f"/tickets/{ticket['id']}/comments"
    assert (await client.post(path, json=a_comment(), headers=key)).status_code == 201
    for where, body in (
        (path, a_comment(text="something else")),
        (f"/tickets/{other['id']}/comments", a_comment()),
        ("/tickets", a_ticket()),
    ):
        response = await client.post(where, json=body, headers=key)
        assert (response.status_code, response.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_a_refused_request_is_not_stored(client: httpx2.AsyncClient, key: dict[str, str]) -> None:
    ticket = await open_ticket(client)
    path = f"/tickets/{ticket['id']}/comments"
    assert (await client.post(path, json=a_comment(status="open"), headers=key)).status_code == 409
    assert (await client.post(path, json=a_comment(text=""), headers=key)).status_code == 422
    assert (await client.post(path, json=a_comment(), headers=key)).status_code == 201


@pytest.mark.parametrize("kind", ["ticket", "comment"])
async def test_fifty_concurrent_copies_take_effect_once(
    client: httpx2.AsyncClient, sql: asyncpg.Connection, key: dict[str, str], kind: str
) -> None:
    mark = secrets.token_hex(8)
    ticket = await open_ticket(client)
    where, body = (
        ("/tickets", a_ticket(text=mark))
        if kind == "ticket"
        else (f"/tickets/{ticket['id']}/comments", a_comment(text=mark))
    )
    responses = await asyncio.gather(*(client.post(where, json=body, headers=key) for _ in range(50)))
    table = f"{kind}s"
    assert await sql.fetchval(f"SELECT count(*) FROM {table} WHERE text = $1", mark) == 1
    made = [response for response in responses if response.status_code == 201]
    assert len([response for response in made if "Idempotent-Replayed" not in response.headers]) == 1
    assert len({response.text for response in made}) == 1
    for response in responses:
        if response.status_code != 201:
            assert (response.status_code, response.json()["type"]) == (409, "/problems/request-in-progress")
            assert response.headers["Retry-After"]
    assert (await client.post(where, json=body, headers=key)).headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("kind", ["ticket", "comment"])
async def test_a_retry_receives_the_response_that_was_lost_after_the_commit(
    app: FastAPI, client: httpx2.AsyncClient, key: dict[str, str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    ticket = await open_ticket(client)
    comments = f"/tickets/{ticket['id']}/comments"
    where, body = ("/tickets", a_ticket()) if kind == "ticket" else (comments, a_comment())
    database = app.state.tickets._database  # noqa: SLF001 - the test fails the process between the commit and the response
    transaction = database.transaction

    @asynccontextmanager
    async def failing_after_the_commit() -> AsyncIterator[Any]:
        async with transaction() as connection:
            yield connection
        raise SystemError("failed after the commit")

    with monkeypatch.context() as patched:
        patched.setattr(database, "transaction", failing_after_the_commit)
        assert (await client.post(where, json=body, headers=key)).status_code == 500
    retried = await client.post(where, json=body, headers=key)
    assert (retried.status_code, retried.headers["Idempotent-Replayed"]) == (201, "true")
    again = await client.post(where, json=body, headers=key)
    assert again.json() == retried.json()
    assert len((await client.get(comments)).json()["items"]) == (kind == "comment")


@pytest.mark.parametrize("bad", ["", "x" * 256, "two words", "ключ".encode(), b"\x00"])
async def test_an_invalid_key_is_refused(client: httpx2.AsyncClient, bad: Any) -> None:
    response = await client.post("/tickets", json=a_ticket(), headers={"Idempotency-Key": bad})
    assert response.status_code == 422
    assert [part["parameter"] for part in response.json()["errors"]] == ["Idempotency-Key"]


async def test_expired_keys_are_deleted_in_batches(
    client: httpx2.AsyncClient, sql: asyncpg.Connection, settings: Settings, key: dict[str, str]
) -> None:
    first = await client.post("/tickets", json=a_ticket(), headers=key)
    await sql.execute(
        "UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE key = $1", key["Idempotency-Key"]
    )
    again = await client.post("/tickets", json=a_ticket(), headers=key)
    assert again.json()["id"] != first.json()["id"]
    await sql.execute(
        """
        INSERT INTO idempotency_keys (principal, key, fingerprint, result, created_at)
        SELECT 'another', n::text, '', '', now() - interval '25 hours' FROM generate_series(1, $1) AS n
        """,
        DELETE_BATCH + 5,
    )
    assert settings.database_dsn is not None
    database = Database(settings.database_dsn.get_secret_value(), pool_size=1)
    assert await delete_expired_keys(database) == DELETE_BATCH + 5
    await database.close()
    assert await sql.fetchval("SELECT count(*) FROM idempotency_keys WHERE principal = 'another'") == 0
    assert (await client.post("/tickets", json=a_ticket(), headers=key)).json() == again.json()
