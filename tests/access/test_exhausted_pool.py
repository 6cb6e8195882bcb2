"""Authentication while queries that hang hold every connection of the main pool."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import httpx2
import pytest

from access.conftest import GuardedService
from core.settings import Settings
from db.postgres import database
from db.postgres.database import POOL_TIMEOUT_S
from models import Role
from services.access import api_key_cache
from services.operation import maintenance
from support.factories import running

POOL_SIZE = 2
REFUSED_WITHIN_S = 2


@pytest.fixture(autouse=True)
def short_pool_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let requests wait for a connection as long as those of a real service."""
    monkeypatch.setattr(database, "POOL_TIMEOUT_S", POOL_TIMEOUT_S)


@pytest.fixture(autouse=True)
def no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no process count the tickets: the count would wait for the locked table on a connection of the main pool."""
    monkeypatch.setattr(maintenance, "is_leader", lambda: False)


@pytest.fixture
async def agent_client(
    service: GuardedService, guarded_settings: Settings, agent: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx2.AsyncClient]:
    """An agent of a service with a small main pool; the cached record of its key is always stale."""
    monkeypatch.setattr(api_key_cache, "FRESH_FOR_S", 0)
    await service.client.get("/tickets", headers=agent)
    async with running(guarded_settings.model_copy(update={"database_pool_size": POOL_SIZE})) as (_, client):
        client.headers.update(agent)
        await asyncio.gather(*(client.get("/tickets") for _ in range(POOL_SIZE)))
        yield client


async def test_a_stale_key_authenticates_while_the_main_pool_is_exhausted(
    agent_client: httpx2.AsyncClient, service_sql: asyncpg.Connection
) -> None:
    async with service_sql.transaction():
        await service_sql.execute("LOCK TABLE tickets")
        hanging = [asyncio.create_task(agent_client.get("/tickets")) for _ in range(POOL_SIZE)]
        await asyncio.sleep(0.3)
        began_at = time.monotonic()
        assert (await agent_client.get("/workflow")).status_code == 200
        assert time.monotonic() - began_at < POOL_TIMEOUT_S
        began_at = time.monotonic()
        refused = await agent_client.get("/tickets")
        assert time.monotonic() - began_at < REFUSED_WITHIN_S
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/database-unavailable")
        assert refused.headers["Retry-After"]
    responses = await asyncio.gather(*hanging)
    assert {response.status_code for response in responses} == {200}


async def test_uses_of_keys_are_recorded_while_the_main_pool_is_exhausted(
    service: GuardedService, guarded_settings: Settings, service_sql: asyncpg.Connection
) -> None:
    key, _ = await service.keys.create("busy", Role.AGENT)
    async with running(guarded_settings.model_copy(update={"database_pool_size": 1})) as (app, client):
        client.headers["Authorization"] = f"Bearer {key}"
        await client.get("/tickets")
        async with service_sql.transaction():
            await service_sql.execute("LOCK TABLE tickets")
            hanging = asyncio.create_task(client.get("/tickets"))
            await asyncio.sleep(0.3)
            began_at = time.monotonic()
            await app.state.api_key_cache.flush_uses()
            assert time.monotonic() - began_at < POOL_TIMEOUT_S
        assert (await hanging).status_code == 200
    stored_record = await service.keys.find(key.id)
    assert stored_record is not None
    assert stored_record.last_used_at is not None
