"""The states that /readyz reports for each part of the service."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx2
import pytest

from db.embedded import EmbeddedValkey
from support.factories import JSON, a_ticket, open_ticket, running, settings_for
from support.servers import running_server

RECOVERY_TIMEOUT_S = 10


@pytest.fixture
async def client(own_database_dsn: str, redis_address: tuple[str, int]) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(settings_for(own_database_dsn, *redis_address)) as (_, client):
        yield client


@pytest.fixture
async def sql(own_database_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(own_database_dsn)
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
async def test_it_requires_the_migrations_of_this_release_or_of_a_newer_one(
    client: httpx2.AsyncClient, sql: asyncpg.Connection, change: str, status: int, migrations: str
) -> None:
    await sql.execute(change)
    response = await client.get("/readyz")
    assert (response.status_code, response.json()["migrations"]) == (status, migrations)


async def test_a_read_only_database_is_not_ready_until_it_accepts_writes(
    client: httpx2.AsyncClient, sql: asyncpg.Connection
) -> None:
    await open_ticket(client)
    database = await sql.fetchval("SELECT quote_ident(current_database())")
    await sql.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    # Existing sessions keep the old setting. On a server that is demoted they end.
    await sql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tickets'")
    async with asyncio.timeout(RECOVERY_TIMEOUT_S):
        while (await client.get("/readyz")).json()["database"] != "read_only":
            await asyncio.sleep(0.05)
    response = await client.post("/tickets", json=a_ticket())
    assert (response.status_code, response.json()["type"]) == (503, "/problems/database-unavailable")

    await sql.execute("SET default_transaction_read_only = off")
    await sql.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")
    async with asyncio.timeout(RECOVERY_TIMEOUT_S):
        while (await client.post("/tickets", json=a_ticket())).status_code != 201:
            await asyncio.sleep(0.05)
    async with asyncio.timeout(RECOVERY_TIMEOUT_S):
        while (await readiness(client))[0] != 200:
            await asyncio.sleep(0.05)


async def test_the_service_is_ready_while_a_cache_node_is_down(own_database_dsn: str, server_folder: Path) -> None:
    with running_server(EmbeddedValkey(server_folder / "valkey-in-parts", nodes=3)) as valkey:
        async with running(settings_for(own_database_dsn, "127.0.0.1", valkey.port)) as (_, client):
            assert await readiness(client) == (200, {"ready": True})
            valkey.nodes[1].signal(signal.SIGSTOP)
            assert await readiness(client) == (200, {"ready": True, "cache": "degraded"})
            valkey.nodes[1].signal(signal.SIGCONT)
            async with asyncio.timeout(RECOVERY_TIMEOUT_S):
                while await readiness(client) != (200, {"ready": True}):
                    await asyncio.sleep(0.05)


async def readiness(client: httpx2.AsyncClient) -> tuple[int, JSON]:
    """Return the status, and the members that are not in their normal state."""
    response = await client.get("/readyz")
    body = response.json()
    normal: JSON = {"stopping": False, "database": "ok", "migrations": "ok", "cache": "ok"}
    normal |= {"background": "ok", "failing_work": []}
    return response.status_code, {name: state for name, state in body.items() if normal.get(name) != state}
