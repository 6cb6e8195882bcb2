"""A service that lets in by keys, and clients who have one."""

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
from support.factories import migrate_to_head, new_database, running, settings_for

ALICE = "alice@example.com"
MALLORY = "mallory@example.com"


@dataclass(frozen=True)
class Door:
    """A service of its own, and the keys to it."""

    app: FastAPI
    visitor: httpx2.AsyncClient
    keys: ApiKeys
    settings: Settings

    async def let_in(self, name: str, role: Role, email: str | None = None) -> dict[str, str]:
        """Make a key; return the headers of whoever has it."""
        key, _ = await self.keys.create(name, role, email)
        return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
async def guarded_settings(postgres_dsn: str, redis_address: tuple[str, int]) -> AsyncIterator[Settings]:
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        yield settings_for(dsn, *redis_address, allow_anonymous=False)


@pytest.fixture(scope="module")
async def door(guarded_settings: Settings) -> AsyncIterator[Door]:
    assert guarded_settings.database_dsn is not None
    database = Database(guarded_settings.database_dsn.get_secret_value(), pool_size=2)
    async with running(guarded_settings) as (app, visitor):
        yield Door(app, visitor, ApiKeys(database), guarded_settings)
    await database.close()


@pytest.fixture(scope="module")
async def agent(door: Door) -> dict[str, str]:
    return await door.let_in("crm", Role.AGENT)


@pytest.fixture(scope="module")
async def alice(door: Door) -> dict[str, str]:
    return await door.let_in("alice", Role.REQUESTER, ALICE)


@pytest.fixture(scope="module")
async def mallory(door: Door) -> dict[str, str]:
    return await door.let_in("mallory", Role.REQUESTER, MALLORY)


@pytest.fixture
async def sql_of_door(guarded_settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    assert guarded_settings.database_dsn is not None
    dsn = guarded_settings.database_dsn.get_secret_value().replace("+asyncpg", "")
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture
def statements(door: Door) -> list[str]:
    """The SQL that the service sends."""
    sent: list[str] = []

    def note(query: LoggedQuery) -> None:
        sent.append(query.query)

    door.app.state.tickets._database.add_statement_listener(note)  # noqa: SLF001 - seen nowhere else
    return sent
