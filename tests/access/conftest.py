"""A service that requires API keys, and the Authorization headers of some keys."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import httpx2
import pytest
from asyncpg.connection import LoggedQuery
from fastapi import FastAPI

from core.settings import Settings
from db.postgres.database import Database
from models import Role
from services.access.api_keys import ApiKeys
from support.factories import NewDatabase, running, settings_for

ALICE = "alice@example.com"
MALLORY = "mallory@example.com"


@dataclass(frozen=True)
class GuardedService:
    """A service with a database of its own, a client without credentials, and the table of its keys."""

    app: FastAPI
    client: httpx2.AsyncClient
    keys: ApiKeys
    settings: Settings

    async def headers_for(self, name: str, role: Role, email: str | None = None) -> dict[str, str]:
        """Create a key and return the header that sends it."""
        key, _ = await self.keys.create(name, role, email)
        return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
async def guarded_settings(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[Settings]:
    async with migrated_database() as dsn:
        yield settings_for(dsn, *redis_address, allow_anonymous=False)


@pytest.fixture(scope="module")
async def service(guarded_settings: Settings) -> AsyncIterator[GuardedService]:
    assert guarded_settings.database_dsn is not None
    database = Database(guarded_settings.database_dsn.get_secret_value(), pool_size=2)
    async with running(guarded_settings) as (app, client):
        yield GuardedService(app, client, ApiKeys(database), guarded_settings)
    await database.close()


@pytest.fixture(scope="module")
async def agent(service: GuardedService) -> dict[str, str]:
    return await service.headers_for("crm", Role.AGENT)


@pytest.fixture(scope="module")
async def alice(service: GuardedService) -> dict[str, str]:
    return await service.headers_for("alice", Role.REQUESTER, ALICE)


@pytest.fixture(scope="module")
async def mallory(service: GuardedService) -> dict[str, str]:
    return await service.headers_for("mallory", Role.REQUESTER, MALLORY)


@pytest.fixture
async def service_sql(guarded_settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    assert guarded_settings.database_dsn is not None
    dsn = guarded_settings.database_dsn.get_secret_value().replace("+asyncpg", "")
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


SHARED_BY_REQUESTS = (
    *("fence_groups", "service_secrets", "api_keys", "fields"),
    *("sla_policies", "calendars", "rules", "groups"),
)


@pytest.fixture
def statements(service: GuardedService) -> list[str]:
    """The SQL statements that the service sends, in order."""
    found: list[str] = []

    def append(query: LoggedQuery) -> None:
        # Read in the background, or every two seconds, by the request that comes first.
        if not any(f"FROM {table}" in query.query for table in SHARED_BY_REQUESTS):
            found.append(query.query)

    service.app.state.tickets._database.add_statement_listener(append)  # noqa: SLF001 - not observable otherwise
    return found
