"""A service that is killed around the commit of a write, and the client that retries."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx2
import pytest

from core.settings import Settings
from support.factories import JSON, a_comment, a_ticket, new_database, open_ticket, settings_for
from support.postgres_proxy import Withheld, postgres_proxy
from support.service_process import ServiceProcess

TIMEOUT_S = 30
# The service itself abandons a COMMIT after six seconds.
WITHHELD_TIMEOUT_S = 5
CACHE_TIMEOUT_S = 10


def client_of(service: ServiceProcess) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=service.url, timeout=10)


@pytest.fixture
async def dsn(postgres_dsn: str) -> AsyncIterator[str]:
    """An empty database. The service creates its tables."""
    async with new_database(postgres_dsn) as dsn:
        yield dsn


@pytest.fixture
def settings(dsn: str, redis_address: tuple[str, int]) -> Settings:
    return settings_for(dsn, *redis_address)


@pytest.fixture
async def sql(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.mark.parametrize("withheld", Withheld, ids=["before-the-commit", "after-the-commit"])
@pytest.mark.parametrize("kind", ["ticket", "comment"])
async def test_the_retry_of_a_write_that_was_killed_gets_its_only_result(
    dsn: str, settings: Settings, sql: asyncpg.Connection, tmp_path: Path, kind: str, withheld: Withheld
) -> None:
    key = {"Idempotency-Key": secrets.token_hex(8)}
    async with (
        postgres_proxy(dsn, key["Idempotency-Key"], withheld) as (postgres, through_proxy),
        ServiceProcess(tmp_path / "log", settings, DATABASE_DSN=through_proxy) as service,
        client_of(service) as client,
    ):
        ticket = (await open_ticket(client))["id"]
        path, body, version = {
            "ticket": ("/tickets", a_ticket(subject="again"), 1),
            "comment": (f"/tickets/{ticket}/comments", a_comment(status="answered"), 2),
        }[kind]
        assert (await read_from_cache(client, ticket))["version"] == 1
        first = asyncio.create_task(client.post(path, json=body, headers=key))
        await asyncio.wait_for(postgres.has_withheld.wait(), WITHHELD_TIMEOUT_S)
        # A read at this moment may return either version, but its result must not stay in the cache.
        assert (await client.get(f"/tickets/{ticket}")).status_code == 200
        await asyncio.to_thread(service.kill)
        with pytest.raises(httpx2.TransportError):
            await first

    await until_killed_sessions_have_ended(sql)
    was_committed = withheld is Withheld.RESPONSE
    written = await written_ids(sql, kind, ticket)
    assert len(written) == was_committed
    async with ServiceProcess(tmp_path / "log-of-retry", settings) as service, client_of(service) as client:
        retried = await client.post(path, json=body, headers=key)
        repeated = await client.post(path, json=body, headers=key)
        assert (retried.status_code, repeated.status_code) == (201, 201), retried.text
        assert retried.headers.get("Idempotent-Replayed") == ("true" if was_committed else None)
        assert repeated.headers["Idempotent-Replayed"] == "true"
        assert retried.headers["ETag"] == repeated.headers["ETag"] == f'"{version}"'
        assert retried.json() == repeated.json()
        if was_committed:
            assert [retried.json()["id"]] == written
        assert await written_ids(sql, kind, ticket) == [retried.json()["id"]]

        changed = retried.json()["id"] if kind == "ticket" else ticket
        events = await sql.fetch("SELECT version FROM ticket_events WHERE ticket_id = $1 ORDER BY 1", changed)
        assert [event["version"] for event in events] == list(range(1, version + 1))
        found = await read_from_cache(client, changed)
        assert found["version"] == version
        assert found["status"] == ("answered" if kind == "comment" else "open")
        assert found["comments"] == ([retried.json()] if kind == "comment" else [])


@pytest.mark.parametrize("withheld", Withheld, ids=["before-the-commit", "after-the-commit"])
async def test_a_ticket_whose_creation_was_killed_exists_completely_or_not_at_all(
    dsn: str, settings: Settings, sql: asyncpg.Connection, tmp_path: Path, withheld: Withheld
) -> None:
    """Without an idempotency key the creation is one statement, which is its own transaction."""
    mark = secrets.token_hex(8)
    async with (
        postgres_proxy(dsn, mark, withheld) as (postgres, through_proxy),
        ServiceProcess(tmp_path / "log", settings, DATABASE_DSN=through_proxy) as service,
        client_of(service) as client,
    ):
        other = (await open_ticket(client))["id"]
        first = asyncio.create_task(client.post("/tickets", json=a_ticket(subject=mark)))
        await asyncio.wait_for(postgres.has_withheld.wait(), WITHHELD_TIMEOUT_S)
        assert await written_ids(sql, "ticket", other) == ([] if withheld is Withheld.COMMIT else [other + 1])
        await asyncio.to_thread(service.kill)
        with pytest.raises(httpx2.TransportError):
            await first

    await until_killed_sessions_have_ended(sql)
    written = await written_ids(sql, "ticket", other)
    assert len(written) == (withheld is Withheld.RESPONSE)
    events = await sql.fetch("SELECT ticket_id, version FROM ticket_events WHERE ticket_id <> $1", other)
    assert [tuple(event) for event in events] == [(ticket, 1) for ticket in written]


async def read_from_cache(client: httpx2.AsyncClient, ticket: int) -> JSON:
    """Return a ticket from the cache. Every response until then must be the same."""
    path = f"/tickets/{ticket}"
    first = await client.get(path)
    async with asyncio.timeout(CACHE_TIMEOUT_S):
        while (response := await client.get(path)).headers["Cache-Status"] != "tickets; hit":
            assert response.json() == first.json()
            await asyncio.sleep(0.02)
    assert response.json() == first.json()
    found: JSON = response.json()
    return found


async def until_killed_sessions_have_ended(sql: asyncpg.Connection) -> None:
    """Return when PostgreSQL has ended the sessions of the killed service and their transactions."""
    async with asyncio.timeout(TIMEOUT_S):
        while await sql.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ):
            await asyncio.sleep(0.02)


async def written_ids(sql: asyncpg.Connection, kind: str, ticket: int) -> list[int]:
    """Return the ids of the written rows, without the ticket that existed before."""
    rows = await sql.fetch(
        "SELECT id FROM tickets WHERE id <> $1" if kind == "ticket" else "SELECT id FROM comments WHERE ticket_id = $1",
        ticket,
    )
    return [row["id"] for row in rows]
