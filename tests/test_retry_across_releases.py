"""A request is retried on another release than the one that carried it out."""

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import asyncpg
import httpx2
import pytest
from alembic.script import ScriptDirectory

from core.settings import ROOT, Settings
from db.postgres.migrations import alembic_config
from support.factories import a_comment, a_ticket, open_ticket, settings_for
from support.later_release import make_later_release
from support.service_process import ServiceProcess

SENT_HEADERS = ("ETag", "Location", "Content-Type", "Content-Length")


@pytest.fixture
def later_release(tmp_path: Path) -> Path:
    head = ScriptDirectory.from_config(alembic_config("unused")).get_current_head()
    folder = tmp_path / "later"
    folder.mkdir()
    return make_later_release(folder, str(head))


@contextmanager
def release(settings: Settings, log: Path, root: Path = ROOT) -> Iterator[httpx2.Client]:
    command = (sys.executable, root / "src" / "serve.py")
    with (
        ServiceProcess(log, settings, command=command) as service,
        httpx2.Client(base_url=service.url, trust_env=False) as client,
    ):
        yield client


def sent(response: httpx2.Response) -> tuple[int, bytes, list[str | None]]:
    return response.status_code, response.content, [response.headers.get(name) for name in SENT_HEADERS]


async def test_a_retry_on_another_release_returns_the_bytes_of_the_first_response(
    own_database_dsn: str, redis_address: tuple[str, int], later_release: Path, tmp_path: Path
) -> None:
    """Both releases run, as they do while instances are replaced one by one."""
    settings = settings_for(own_database_dsn, *redis_address)
    with (
        release(settings, tmp_path / "this.log") as this,
        release(settings, tmp_path / "later.log", later_release) as later,
    ):
        ticket_id = this.post("/tickets", json=a_ticket()).json()["id"]
        assert "product" in later.get(f"/tickets/{ticket_id}").json()
        for first, second in ((this, later), (later, this)):
            for path, body in (
                ("/tickets", a_ticket()),
                (f"/tickets/{ticket_id}/comments", a_comment(status="answered" if first is this else None)),
            ):
                key = {"Idempotency-Key": secrets.token_hex(8)}
                made = first.post(path, json=body, headers=key)
                assert made.status_code == 201, made.text
                again = second.post(path, json=body, headers=key)
                assert sent(again) == sent(made), again.text
                assert again.headers["Idempotent-Replayed"] == "true"


async def test_white_space_and_the_order_of_members_make_no_other_request(client: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8), "Content-Type": "application/json"}
    body = a_ticket()
    first = await client.post("/tickets", content=json.dumps(body), headers=headers)
    reordered = json.dumps(dict(reversed(body.items())), indent=2)
    again = await client.post("/tickets", content=reordered, headers=headers)
    assert sent(again) == sent(first)


async def test_the_key_of_another_body_is_reused_even_if_both_mean_the_same(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    path, key = f"/tickets/{ticket['id']}/comments", {"Idempotency-Key": secrets.token_hex(8)}
    assert (await client.post(path, json=a_comment(), headers=key)).status_code == 201
    other = await client.post(path, json=a_comment(status=None), headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


@pytest.mark.parametrize("kind", ["ticket", "comment"])
async def test_the_release_before_understands_the_keys_of_this_one_and_the_other_way_round(
    client: httpx2.AsyncClient, sql: asyncpg.Connection, kind: str
) -> None:
    """That release hashes the validated body with its defaults, and stores the result as a model."""
    ticket_id = (await open_ticket(client))["id"]
    if kind == "ticket":
        path, operation, body = "/tickets", "create", a_ticket(text='Ünï "code" \u0001\n')
        hashed = body
    else:
        path, operation, body = f"/tickets/{ticket_id}/comments", f"comment {ticket_id}", a_comment()
        hashed = body | {"status": None}
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first = await client.post(path, json=body, headers=key)
    stored = await sql.fetchrow("SELECT fingerprint, result FROM idempotency_keys WHERE key = $1", *key.values())
    assert stored is not None
    form = json.dumps(hashed, ensure_ascii=False, separators=(",", ":"))
    assert stored["fingerprint"] == sha256(f"{operation}\0{form}".encode()).hexdigest()
    result = json.loads(stored["result"])
    assert result == (first.json() if kind == "ticket" else {"comment": first.json(), "version": 2})

    await sql.execute(
        "UPDATE idempotency_keys SET request_hash = NULL, body = NULL, ticket_id = NULL, version = NULL WHERE key = $1",
        *key.values(),
    )
    again = await client.post(path, json=body, headers=key)
    assert sent(again) == sent(first)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await client.post(path, json=body | {"text": "other"}, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
