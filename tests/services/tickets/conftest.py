"""The write path without HTTP around it."""

from collections.abc import AsyncIterator

import pytest

from core.settings import Settings
from db.postgres.database import Database
from services.tickets.changes import TicketChanges
from support.factories import cache_of, ticket_changes


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    assert settings.database_dsn is not None
    database = Database(settings.database_dsn.get_secret_value(), pool_size=3)
    yield database
    await database.close()


@pytest.fixture
async def changes(settings: Settings, database: Database) -> AsyncIterator[TicketChanges]:
    async with cache_of(settings) as cache:
        yield ticket_changes(database, cache)
