"""Made-up API keys, also in large numbers and while PostgreSQL is slow, do not delay the requests with real keys."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from core.settings import async_dsn
from db.postgres.database import Database
from models import Role
from services.access import api_key_cache, unknown_keys
from services.access.api_key_format import Key, new_key
from services.access.api_keys import ApiKeys
from support.factories import migrate_to_head, new_database, running, settings_for

QUERY_S = 0.4
# A query may be in progress when a key arrives, and its own follows.
LONGEST_WAIT_S = 2 * QUERY_S + 0.5


@dataclass(frozen=True)
class Service:
    """A service that requires keys, the table of its keys, and a connection to its database."""

    app: FastAPI
    client: httpx2.AsyncClient
    keys: ApiKeys
    sql: asyncpg.Connection

    async def status_with(self, key: Key) -> int:
        """Send a request that needs no query but those for its key."""
        return (await self.get_with(key)).status_code

    async def get_with(self, key: Key) -> httpx2.Response:
        return await self.client.get("/workflow", headers={"Authorization": f"Bearer {key}"})

    def flood(self, count: int) -> list[asyncio.Task[int]]:
        """Begin requests with made-up keys."""
        return [asyncio.create_task(self.status_with(new_key())) for _ in range(count)]

    @asynccontextmanager
    async def slow_queries(self) -> AsyncIterator[None]:
        """Let each query for keys take `QUERY_S` seconds in PostgreSQL."""
        await self.sql.execute(f"""
            ALTER TABLE api_keys RENAME TO stored_api_keys;
            CREATE VIEW api_keys AS
                SELECT stored.* FROM (SELECT pg_sleep({QUERY_S}) IS NULL AS is_over OFFSET 0) AS slow,
                LATERAL (SELECT * FROM stored_api_keys WHERE slow.is_over IS NOT NULL OFFSET 0) AS stored
        """)
        try:
            yield
        finally:
            await self.sql.execute("DROP VIEW api_keys; ALTER TABLE stored_api_keys RENAME TO api_keys")


@pytest.fixture(scope="module")
async def service(postgres_dsn: str, redis_address: tuple[str, int]) -> AsyncIterator[Service]:
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        database, sql = Database(async_dsn(dsn), pool_size=2), await asyncpg.connect(dsn)
        async with running(settings_for(dsn, *redis_address, allow_anonymous=False)) as (app, client):
            service = Service(app, client, ApiKeys(database), sql)
            key, _ = await service.keys.create("first", Role.AGENT)
            assert await service.status_with(key) == 200
            yield service
        await sql.close()
        await database.close()


@pytest.fixture
def statements(service: Service) -> list[str]:
    """The statements that the service sends, in order."""
    found: list[str] = []
    service.app.state.tickets._database.add_statement_listener(lambda query: found.append(query.query))  # noqa: SLF001
    return found


async def test_a_new_key_waits_for_two_queries_at_most(service: Service) -> None:
    key, _ = await service.keys.create("new", Role.AGENT)
    async with service.slow_queries():
        flood = service.flood(40)
        await asyncio.sleep(0.1)
        began_at = time.monotonic()
        assert await service.status_with(key) == 200
        assert time.monotonic() - began_at < LONGEST_WAIT_S
        assert set(await asyncio.gather(*flood)) == {401}


async def test_a_stale_key_does_not_wait_for_made_up_keys(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    key, _ = await service.keys.create("stale", Role.AGENT)
    assert await service.status_with(key) == 200
    monkeypatch.setattr(api_key_cache, "FRESH_FOR_S", 0)
    async with service.slow_queries():
        flood = service.flood(40)
        await asyncio.sleep(0.1)
        began_at = time.monotonic()
        assert await service.status_with(key) == 200
        assert time.monotonic() - began_at < QUERY_S + 0.3
        await asyncio.gather(*flood)


async def test_too_many_made_up_keys_are_refused_at_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown_keys, "MAX_WAITING", 10)
    async with service.slow_queries():
        flood = service.flood(1)
        await asyncio.sleep(0.1)
        flood += service.flood(30)
        await asyncio.sleep(0.1)
        began_at = time.monotonic()
        refused = await service.get_with(new_key())
        assert time.monotonic() - began_at < QUERY_S / 2
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/overloaded")
        assert refused.headers["Retry-After"]
        statuses = await asyncio.gather(*flood)
    # The first is looked up alone, those that wait meanwhile together.
    assert (statuses.count(401), statuses.count(503)) == (11, 20)
    assert await service.status_with(new_key()) == 401


async def test_a_repeated_made_up_key_is_looked_up_once_in_two_seconds(
    service: Service, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unknown_keys.MISSING_FOR_S <= 2
    monkeypatch.setattr(unknown_keys, "MISSING_FOR_S", 0.5)
    key = new_key()
    for _ in range(5):
        assert await service.status_with(key) == 401
    await asyncio.sleep(0)  # the driver reports a query after its result
    assert len(statements) == 1
    await service.sql.execute(
        "INSERT INTO api_keys (id, name, role, secret_hash) VALUES ($1, 'late', 'agent', $2)", key.id, key.secret_hash
    )
    async with asyncio.timeout(1):
        while await service.status_with(key) != 200:
            await asyncio.sleep(0.05)


async def test_the_memory_for_made_up_keys_is_bounded(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown_keys, "MAX_MISSING", 20)
    assert set(await asyncio.gather(*service.flood(60))) == {401}
    assert len(service.app.state.api_key_cache._unknown) <= 20  # noqa: SLF001 - not observable otherwise
