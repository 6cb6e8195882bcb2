"""A request is retried on another release than the one that carried it out."""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from alembic.script import ScriptDirectory

from contract.served import served
from core.settings import ROOT, Settings
from db.postgres.migrations import alembic_config
from support.factories import JSON, a_comment, a_ticket, migrate_to_head, new_database, settings_for
from support.later_release import make_later_release

SENT_HEADERS = ("ETag", "Location", "Content-Type", "Content-Length")


@pytest.fixture
async def dsn(postgres_dsn: str) -> AsyncIterator[str]:
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        yield dsn


@pytest.fixture
def later_release(tmp_path: Path) -> Path:
    head = ScriptDirectory.from_config(alembic_config("unused")).get_current_head()
    folder = tmp_path / "later"
    folder.mkdir()
    return make_later_release(folder, str(head))


@contextmanager
def release(settings: Settings, log: Path, root: Path = ROOT) -> Iterator[httpx2.Client]:
    with served(settings, log, root=root) as url, httpx2.Client(base_url=url, trust_env=False) as client:
        yield client


def requests(ticket_id: int) -> dict[str, tuple[str, JSON]]:
    return {
        "ticket": ("/tickets", a_ticket()),
        "comment": (f"/tickets/{ticket_id}/comments", a_comment(status="answered")),
    }


def sent(response: httpx2.Response) -> tuple[int, bytes, list[str | None]]:
    return response.status_code, response.content, [response.headers.get(name) for name in SENT_HEADERS]


async def test_a_retry_on_another_release_returns_the_bytes_of_the_first_response(
    dsn: str, redis_address: tuple[str, int], later_release: Path, tmp_path: Path
) -> None:
    settings = settings_for(dsn, *redis_address)
    keys = {kind: {"Idempotency-Key": f"{kind}-{secrets.token_hex(4)}"} for kind in ("ticket", "comment")}
    first = {}
    with release(settings, tmp_path / "this.log") as client:
        ticket_id = client.post("/tickets", json=a_ticket()).json()["id"]
        for kind, (path, body) in requests(ticket_id).items():
            first[kind] = client.post(path, json=body, headers=keys[kind])
            assert first[kind].status_code == 201
    with release(settings, tmp_path / "later.log", later_release) as client:
        assert "product" in client.get(f"/tickets/{ticket_id}").json()
        for kind, (path, body) in requests(ticket_id).items():
            again = client.post(path, json=body, headers=keys[kind])
            assert sent(again) == sent(first[kind]), again.text
            assert again.headers["Idempotent-Replayed"] == "true"
        path, body = "/tickets", a_ticket(text="later")
        later = client.post(path, json=body, headers={"Idempotency-Key": "later"})
        assert "product" in later.json()
    # While instances are replaced one by one, a retry can reach the release before too.
    with release(settings, tmp_path / "again.log") as client:
        again = client.post(path, json=body, headers={"Idempotency-Key": "later"})
        assert sent(again) == sent(later), again.text
