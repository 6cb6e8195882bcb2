"""A service that requires credentials, with an admin, an agent and a requester."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import httpx2
import pytest

from db.postgres.database import Database
from models import Role
from services.access.api_keys import ApiKeys
from support.api_calls import a_person
from support.factories import JSON, NewDatabase, running, settings_for

ALICE = "alice@example.com"


@dataclass(frozen=True)
class Directory:
    """A service, and a client of it for each role."""

    admin: httpx2.AsyncClient
    agent: httpx2.AsyncClient
    requester: httpx2.AsyncClient
    dsn: str

    async def person(self, **fields: object) -> JSON:
        """Create a person."""
        return await self.created("/people", a_person(**fields))

    async def created(self, path: str, body: JSON) -> JSON:
        """Create a resource as the admin."""
        response = await self.admin.post(path, json=body)
        assert response.status_code == 201, response.text
        resource: JSON = response.json()
        return resource

    async def as_person(self, person_id: str) -> dict[str, str]:
        """Return the header of a key that acts as a person."""
        key = await self.created("/keys", {"principal_id": person_id})
        return {"Authorization": f"Bearer {key['secret']}"}


@pytest.fixture(scope="module")
async def directory(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[Directory]:
    async with migrated_database() as dsn:
        database = Database(dsn, pool_size=1)
        headers = []
        for role in (Role.ADMIN, Role.AGENT, Role.REQUESTER):
            key, _ = await ApiKeys(database).create(role, role, ALICE if role is Role.REQUESTER else None)
            headers.append({"Authorization": f"Bearer {key}"})
        await database.close()
        async with running(settings_for(dsn, *redis_address, allow_anonymous=False)) as (app, _):
            clients = [
                httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://tickets", headers=each)
                for each in headers
            ]
            admin, agent, requester = clients
            yield Directory(admin, agent, requester, dsn)
            for client in clients:
                await client.aclose()


@pytest.fixture
async def directory_sql(directory: Directory) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(directory.dsn)
    yield connection
    await connection.close()


def problem(response: httpx2.Response) -> tuple[int, str]:
    """Return the status of a refusal and its problem type."""
    return response.status_code, response.json()["type"].removeprefix("/problems/")
