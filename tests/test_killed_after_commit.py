"""A service that is killed at the worst moments of a write, for real, and the client that asks again."""

import asyncio
import os
import secrets
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import httpx2
import pytest

from core.settings import ROOT
from db.embedded.process import free_port
from support.factories import JSON, a_comment, a_ticket, new_database, open_ticket
from support.postgres_proxy import Held, held_postgres

START_WITHIN_S = 30
# The service itself gives up on a COMMIT after six seconds.
HELD_WITHIN_S = 5
CACHED_WITHIN_S = 10


@dataclass(frozen=True)
class Service:
    """One process with its one worker, and a client of it."""

    process: Process
    client: httpx2.AsyncClient

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def serving(dsn: str, redis_address: tuple[str, int], redis_prefix: str) -> AsyncIterator[Service]:
    """Run the service, migrations included, as its command does when everything is configured."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "DATABASE_DSN": dsn,
        "REDIS_HOST": redis_address[0],
        "REDIS_PORT": str(redis_address[1]),
        "REDIS_PREFIX": redis_prefix,
        "PORT": str(port),
    }
    process = await asyncio.create_subprocess_exec(sys.executable, ROOT / "src" / "serve.py", env=environment)
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            await until_ready(process, client)
            yield Service(process, client)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_ready(process: Process, client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(START_WITHIN_S):
        while not await is_ready(client):
            assert process.returncode is None
            await asyncio.sleep(0.05)


async def is_ready(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx2.TransportError:
        return False


@pytest.fixture
async def dsn(postgres_dsn: str) -> AsyncIterator[str]:
    """A database of our own; the service makes its tables."""
    async with new_database(postgres_dsn) as dsn:
        yield dsn


@pytest.fixture
async def sql(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.mark.parametrize("held", Held, ids=["before-the-commit", "after-the-commit"])
@pytest.mark.parametrize("kind", ["ticket", "comment"])
async def test_the_retry_of_a_write_that_was_killed_gets_the_one_true_answer(
    dsn: str, sql: asyncpg.Connection, redis_address: tuple[str, int], kind: str, held: Held
) -> None:
    key, prefix = {"Idempotency-Key": secrets.token_hex(8)}, f"test-{secrets.token_hex(4)}:"
    async with (
        held_postgres(dsn, key["Idempotency-Key"], held) as (postgres, way),
        serving(way, redis_address, prefix) as service,
    ):
        ticket = (await open_ticket(service.client))["id"]
        where, body, version = {
            "ticket": ("/tickets", a_ticket(subject="again"), 1),
            "comment": (f"/tickets/{ticket}/comments", a_comment(status="answered"), 2),
        }[kind]
        assert (await until_cached(service.client, ticket))["version"] == 1
        first = asyncio.create_task(service.client.post(where, json=body, headers=key))
        async with asyncio.timeout(HELD_WITHIN_S):
            await postgres.is_held.wait()
        # Whoever asks in this moment may be told either version, but what is told must not stay in the cache.
        assert (await service.client.get(f"/tickets/{ticket}")).status_code == 200
        await service.kill()
        with pytest.raises(httpx2.TransportError):
            await first

    await until_the_dead_are_noticed(sql)
    was_committed = held is Held.ANSWER
    written = await written_ids(sql, kind, ticket)
    assert len(written) == was_committed
    async with serving(dsn, redis_address, prefix) as service:
        retried = await service.client.post(where, json=body, headers=key)
        again = await service.client.post(where, json=body, headers=key)
        assert (retried.status_code, again.status_code) == (201, 201), retried.text
        assert retried.headers.get("Idempotent-Replayed") == ("true" if was_committed else None)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert retried.headers["ETag"] == again.headers["ETag"] == f'"{version}"'
        assert retried.json() == again.json()
        if was_committed:
            assert [retried.json()["id"]] == written
        assert await written_ids(sql, kind, ticket) == [retried.json()["id"]]

        changed = retried.json()["id"] if kind == "ticket" else ticket
        events = await sql.fetch("SELECT version FROM ticket_events WHERE ticket_id = $1 ORDER BY 1", changed)
        assert [event["version"] for event in events] == list(range(1, version + 1))
        looked_up = await until_cached(service.client, changed)
        assert looked_up["version"] == version
        assert looked_up["status"] == ("answered" if kind == "comment" else "open")
        assert looked_up["comments"] == ([retried.json()] if kind == "comment" else [])


@pytest.mark.parametrize("held", Held, ids=["before-the-commit", "after-the-commit"])
async def test_a_ticket_whose_opening_was_killed_is_there_as_a_whole_or_not_at_all(
    dsn: str, sql: asyncpg.Connection, redis_address: tuple[str, int], held: Held
) -> None:
    """Without a key it is one statement that is its own transaction."""
    mark, prefix = secrets.token_hex(8), f"test-{secrets.token_hex(4)}:"
    async with held_postgres(dsn, mark, held) as (postgres, way), serving(way, redis_address, prefix) as service:
        other = (await open_ticket(service.client))["id"]
        first = asyncio.create_task(service.client.post("/tickets", json=a_ticket(subject=mark)))
        async with asyncio.timeout(HELD_WITHIN_S):
            await postgres.is_held.wait()
        assert await written_ids(sql, "ticket", other) == ([] if held is Held.COMMIT else [other + 1])
        await service.kill()
        with pytest.raises(httpx2.TransportError):
            await first

    await until_the_dead_are_noticed(sql)
    written = await written_ids(sql, "ticket", other)
    assert len(written) == (held is Held.ANSWER)
    events = await sql.fetch("SELECT ticket_id, version FROM ticket_events WHERE ticket_id <> $1", other)
    assert [tuple(event) for event in events] == [(ticket, 1) for ticket in written]


async def until_cached(client: httpx2.AsyncClient, ticket: int) -> JSON:
    """Return a ticket as the cache has it; all that is told until then must be the same."""
    path = f"/tickets/{ticket}"
    told = await client.get(path)
    async with asyncio.timeout(CACHED_WITHIN_S):
        while (answer := await client.get(path)).headers["Cache-Status"] != "tickets; hit":
            assert answer.json() == told.json()
            await asyncio.sleep(0.02)
    assert answer.json() == told.json()
    found: JSON = answer.json()
    return found


async def until_the_dead_are_noticed(sql: asyncpg.Connection) -> None:
    """Return when PostgreSQL has ended the sessions of the killed service, and their transactions with them."""
    async with asyncio.timeout(START_WITHIN_S):
        while await sql.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ):
            await asyncio.sleep(0.02)


async def written_ids(sql: asyncpg.Connection, kind: str, ticket: int) -> list[int]:
    """Return the ids of what the write made, other than the ticket that was there before."""
    rows = await sql.fetch(
        "SELECT id FROM tickets WHERE id <> $1" if kind == "ticket" else "SELECT id FROM comments WHERE ticket_id = $1",
        ticket,
    )
    return [row["id"] for row in rows]
