"""A database of its own for each test, and a publisher of its events."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from core.settings import async_dsn
from db.postgres.database import Database
from services.events.publisher import EventPublisher
from services.tickets.commit_signal import CommitSignal


@pytest.fixture
async def database(own_database_dsn: str) -> AsyncIterator[Database]:
    database = Database(async_dsn(own_database_dsn), pool_size=2)
    yield database
    await database.close()


@pytest.fixture
async def sql(own_database_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that bypasses the service."""
    connection = await asyncpg.connect(own_database_dsn)
    yield connection
    await connection.close()


@pytest.fixture
def publisher(database: Database) -> EventPublisher:
    return EventPublisher(database, CommitSignal())
