"""What /readyz says of each part, with the parts as they are."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx2
import pytest

from db.embedded import EmbeddedValkey
from support.factories import JSON, a_ticket, migrate_to_head, new_database, open_ticket, running, settings_for

RECOVERS_WITHIN_S = 10


@pytest.fixture
async def dsn(postgres_dsn: str) -> AsyncIterator[str]:
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        yield dsn


@pytest.fixture
async def client(dsn: str, redis_address: tuple[str, int]) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(settings_for(dsn, *redis_address)) as (_, client):
        yield client


@pytest.fixture
async def sql(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.mark.parametrize(
    ("change", "status", "migrations"),
    [
        ("SELECT", 200, "ok"),
        ("UPDATE alembic_version SET version_num = 'of-a-newer-release'", 200, "ok"),
        ("UPDATE alembic_version SET version_num = 'a2062cac828d'", 503, "behind"),
        ("DELETE FROM alembic_version", 503, "behind"),
        ("DROP TABLE alembic_version", 503, "behind"),
    ],
)
async def test_it_takes_the_migrations_of_this_release_or_a_newer_one(
    client: httpx2.AsyncClient, sql: asyncpg.Connection, change: str, status: int, migrations: str
) -> None:
    await sql.execute(change)
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["migrations"]) == (status, migrations)


async def test_a_database_that_takes_no_writes_is_not_ready_until_it_does(
    client: httpx2.AsyncClient, sql: asyncpg.Connection
) -> None:
    await open_ticket(client)
    database = await sql.fetchval("SELECT quote_ident(current_database())")
    await sql.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    # Sessions that are there already go on as they were; those of a server that was demoted end.
    await sql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tickets'")
    async with asyncio.timeout(RECOVERS_WITHIN_S):
        while (await client.get("/readyz")).json()["database"] != "read_only":
            await asyncio.sleep(0.05)
    answer = await client.post("/tickets", json=a_ticket())
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/database-unavailable")

    await sql.execute("SET default_transaction_read_only = off")
    await sql.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")
    async with asyncio.timeout(RECOVERS_WITHIN_S):
        while (await client.post("/tickets", json=a_ticket())).status_code != 201:
            await asyncio.sleep(0.05)
    async with asyncio.timeout(RECOVERS_WITHIN_S):
        while (await readiness(client))[0] != 200:
            await asyncio.sleep(0.05)


async def test_a_part_of_the_cache_may_be_away(dsn: str, server_folder: Path) -> None:
    valkey = EmbeddedValkey(server_folder / "valkey-in-parts", nodes=3)
    try:
        valkey.start()
        valkey.wait_until_formed()
        async with running(settings_for(dsn, "127.0.0.1", valkey.port)) as (_, client):
            assert await readiness(client) == (200, {"ready": True})
            valkey.nodes[1].signal(signal.SIGSTOP)
            assert await readiness(client) == (200, {"ready": True, "cache": "degraded"})
            valkey.nodes[1].signal(signal.SIGCONT)
            async with asyncio.timeout(RECOVERS_WITHIN_S):
                while await readiness(client) != (200, {"ready": True}):
                    await asyncio.sleep(0.05)
    finally:
        valkey.stop()


async def readiness(client: httpx2.AsyncClient) -> tuple[int, JSON]:
    """Return the status, and what is not as it should be."""
    answer = await client.get("/readyz")
    body = answer.json()
    good: JSON = {"stopping": False, "database": "ok", "migrations": "ok", "cache": "ok"}
    good |= {"background": "ok", "failing_work": []}
    return answer.status_code, {name: state for name, state in body.items() if good.get(name) != state}
