"""A service in which people sign in: its set-up is closed by an admin."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest
from fastapi import FastAPI

from core.settings import Settings
from models import Role
from support.factories import NewDatabase, running, settings_for
from support.sign_in import Account, new_account


@dataclass(frozen=True)
class Site:
    """A service with a database of its own, and its first admin."""

    app: FastAPI
    dsn: str
    admin: Account


@pytest.fixture
async def fresh_settings(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[Settings]:
    """Settings of a service whose set-up is open."""
    async with migrated_database() as dsn:
        yield settings_for(dsn, *redis_address, allow_anonymous=False)


@pytest.fixture(scope="module")
async def site(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[Site]:
    async with (
        migrated_database() as dsn,
        running(settings_for(dsn, *redis_address, allow_anonymous=False)) as (app, _),
    ):
        yield Site(app, dsn, await new_account(app, Role.ADMIN))


@pytest.fixture
async def site_sql(site: Site) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(site.dsn)
    yield connection
    await connection.close()
