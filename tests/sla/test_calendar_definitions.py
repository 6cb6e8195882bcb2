"""The calendars in memory, for the write path."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from db.postgres.database import Database
from services import definitions
from services.sla.calendar_definitions import Calendars

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
END = datetime(2026, 3, 3, tzinfo=UTC)


@pytest.fixture
async def calendars(own_database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Calendars]:
    monkeypatch.setattr(definitions, "FRESH_FOR_S", 0)
    database = Database(own_database_dsn, pool_size=1)
    yield Calendars(database)
    await database.close()


@pytest.fixture
async def own_sql(own_database_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(own_database_dsn)
    yield connection
    await connection.close()


async def add(sql: asyncpg.Connection, name: str, until: str) -> int:
    """Insert a calendar whose Mondays begin at nine o'clock, and return its id."""
    calendar_id: int = await sql.fetchval(
        "INSERT INTO calendars (name, zone, weekly) VALUES ($1, 'UTC', $2) RETURNING id", name, weekly(until)
    )
    return calendar_id


def weekly(until: str) -> str:
    return json.dumps({"mon": [["09:00", until]]})


async def test_every_calendar_is_known_by_its_id(calendars: Calendars, own_sql: asyncpg.Connection) -> None:
    before = set(await calendars.current())
    first, second = await add(own_sql, "first", "10:00"), await add(own_sql, "second", "11:00")
    known = await calendars.current()
    assert set(known) == before | {first, second}
    assert [known[each].worked(START, END) for each in (first, second)] == [3600, 7200]


async def test_a_changed_calendar_is_computed_again_and_the_others_are_kept(
    calendars: Calendars, own_sql: asyncpg.Connection
) -> None:
    kept, changed = await add(own_sql, "kept", "10:00"), await add(own_sql, "changed", "10:00")
    before = await calendars.current()
    await own_sql.execute(
        "UPDATE calendars SET weekly = $2, version = version + 1 WHERE id = $1", changed, weekly("12:00")
    )
    after = await calendars.current()
    assert after[kept] is before[kept]
    assert after[changed].worked(START, END) == 3 * 3600
    assert before[changed].worked(START, END) == 3600
