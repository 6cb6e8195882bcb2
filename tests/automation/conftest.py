"""A service with an agent, an admin and a requester, whose reminders the tests fire themselves."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from core.settings import Settings
from db.postgres.database import Database
from directory.conftest import directory, directory_sql
from services.automation.due_reminders import DueReminders
from services.tickets.changes import TicketChanges
from support.factories import cache_of, settings_for, ticket_changes

__all__ = ["directory", "directory_sql"]


@pytest.fixture
async def own_sql(own_database_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database on which no service runs."""
    connection = await asyncpg.connect(own_database_dsn)
    yield connection
    await connection.close()


@pytest.fixture
def own_settings(own_database_dsn: str, redis_address: tuple[str, int]) -> Settings:
    """The settings of a service on that database that fires nothing."""
    return settings_for(own_database_dsn, *redis_address, work="off")


@pytest.fixture
async def own_database(own_database_dsn: str) -> AsyncIterator[Database]:
    database = Database(own_database_dsn, pool_size=5)
    yield database
    await database.close()


@pytest.fixture
async def changes(own_settings: Settings, own_database: Database) -> AsyncIterator[TicketChanges]:
    async with cache_of(own_settings) as cache:
        yield ticket_changes(own_database, cache)


@pytest.fixture
def due_reminders(own_database: Database, changes: TicketChanges) -> DueReminders:
    return DueReminders(own_database, changes)
