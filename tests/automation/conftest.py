"""A service whose timers a test fires step by step, while it lets time pass at the clock of the database."""

import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from core.settings import Settings
from db.postgres.database import Database
from directory.conftest import directory, directory_sql
from models import Role
from services.access.api_keys import ApiKeys
from services.automation.due_reminders import DueReminders
from services.automation.timers import TicketTimers
from services.tickets.changes import TicketChanges
from support.factories import JSON, NewDatabase, cache_of, open_ticket, running, settings_for, ticket_changes

__all__ = ["directory", "directory_sql"]

HOUR = 3_600
DAY = 24 * HOUR
ALWAYS = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
OFFICE = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}

# The one clock that decides on times: the test moves it, which no setting of the service can.
MOVABLE_CLOCK = """
    CREATE TABLE moved_clock (shift interval NOT NULL);
    INSERT INTO moved_clock VALUES ('0');
    CREATE OR REPLACE FUNCTION service_clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
        SELECT clock_timestamp() + shift FROM moved_clock
    $$
"""
# Past the guards, which permit no change without a version.
WITHOUT_TIMERS = """
    BEGIN;
    SET LOCAL session_replication_role = replica;
    UPDATE tickets SET timer_at = NULL WHERE timer_at IS NOT NULL;
    COMMIT
"""


@dataclass(frozen=True)
class Automated:
    """The service, its timers, and a connection that bypasses it."""

    app: FastAPI
    client: httpx2.AsyncClient
    sql: asyncpg.Connection
    keys: ApiKeys
    database: Database
    names: list[str] = field(default_factory=list)

    @property
    def timers(self) -> TicketTimers:
        return TicketTimers(self.database, self.app.state.changes, self.app.state.automation)

    async def requester_key(self, email: str) -> str:
        key, _ = await self.keys.create(f"requester {secrets.token_hex(4)}", Role.REQUESTER, email)
        return str(key)

    async def pass_time(self, seconds: float) -> None:
        await self.sql.execute("UPDATE moved_clock SET shift = shift + make_interval(secs => $1)", float(seconds))

    async def now(self) -> datetime:
        now: datetime = await self.sql.fetchval("SELECT service_clock()")
        return now

    async def fire(self) -> None:
        """Fire until no timer is due."""
        while await self.timers.work_off():
            pass

    async def calendar(self, weekly: JSON = ALWAYS, zone: str = "UTC") -> int:
        calendar_id: int = await self.sql.fetchval(
            "INSERT INTO calendars (name, zone, weekly) VALUES ('calendar ' || gen_random_uuid(), $1, $2) RETURNING id",
            zone,
            json.dumps(weekly),
        )
        return calendar_id

    async def policy(self, **values: Any) -> JSON:
        """Create a policy, by default for all tickets and with the time of a calendar that never rests."""
        self.names.append(f"policy {len(self.names)}")
        body = {"name": self.names[-1], "calendar_id": values.pop("calendar_id", None) or await self.calendar()}
        return await self.call("POST", "/sla-policies", 201, json=body | values)

    async def ticket(self, **fields: Any) -> JSON:
        return await open_ticket(self.client, **fields)

    async def read(self, ticket: JSON) -> JSON:
        """Return a ticket as it is in the database."""
        headers = {"Cache-Control": "no-cache"}
        return await self.call("GET", f"/tickets/{ticket['id']}", 200, headers=headers)

    async def change(self, ticket: JSON, **fields: Any) -> JSON:
        return await self.call("PATCH", f"/tickets/{ticket['id']}", 200, json=fields)

    async def comment(self, ticket: JSON, **fields: Any) -> JSON:
        body = {"email": "bob@example.com", "text": "Have you tried water?"} | fields
        return await self.call("POST", f"/tickets/{ticket['id']}/comments", 201, json=body)

    async def events(self, ticket: JSON) -> list[JSON]:
        found: list[JSON] = (await self.call("GET", f"/tickets/{ticket['id']}/history?limit=100", 200))["items"]
        return found

    async def types(self, ticket: JSON) -> list[str]:
        """Return the types of the events of a ticket, in their order."""
        return [event["type"] for event in await self.events(ticket)]

    async def call(self, method: str, path: str, status: int, **options: Any) -> JSON:
        response = await self.client.request(method, path, **options)
        assert response.status_code == status, response.text
        body: JSON = response.json()
        return body


@pytest.fixture(scope="module")
async def automated_settings(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[Settings]:
    async with migrated_database() as dsn:
        yield settings_for(dsn, *redis_address, work="off", allow_anonymous=False)


@pytest.fixture(scope="module")
async def automated_of_module(automated_settings: Settings) -> AsyncIterator[Automated]:
    assert automated_settings.database_dsn is not None
    sql = await asyncpg.connect(automated_settings.database_dsn.get_secret_value().replace("+asyncpg", ""))
    await sql.execute(MOVABLE_CLOCK)
    database = Database(automated_settings.database_dsn.get_secret_value(), pool_size=2)
    keys = ApiKeys(database)
    admin, _ = await keys.create("admin", Role.ADMIN, None)
    async with running(automated_settings) as (app, client):
        client.headers["Authorization"] = f"Bearer {admin}"
        yield Automated(app, client, sql, keys, database)
    await sql.close()
    await database.close()


@pytest.fixture
async def automated(automated_of_module: Automated) -> AsyncIterator[Automated]:
    """The service without policies, rules and timers of earlier tests."""
    yield automated_of_module
    await automated_of_module.sql.execute("DELETE FROM sla_policies")
    await automated_of_module.sql.execute(WITHOUT_TIMERS)
    automated_of_module.app.state.automation.forget()


def clock_of(ticket: JSON, kind: str) -> JSON:
    """Return a clock of a ticket."""
    (clock,) = [each for each in ticket["sla"] if each["kind"] == kind]
    found: JSON = clock
    return found


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
