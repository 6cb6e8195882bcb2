"""A service whose drafts a test sends step by step, with two agents who call its services."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from automation.conftest import MOVABLE_CLOCK
from core.settings import Settings
from db.postgres.database import Database
from models import DraftKind, Role
from schemas.drafts import Draft, DraftSave, DraftSend
from services.access.api_keys import ApiKeys
from services.access.principal import Principal
from services.drafts.drafts import Drafts
from services.drafts.due_drafts import DueDrafts
from support.api_calls import a_person
from support.factories import JSON, NewDatabase, open_ticket, running, settings_for

EMAIL = "agent@example.com"


@dataclass(frozen=True)
class Desk:
    """The service, its drafts, and a connection that bypasses it."""

    app: FastAPI
    client: httpx2.AsyncClient
    sql: asyncpg.Connection
    database: Database
    settings: Settings

    @property
    def drafts(self) -> Drafts:
        drafts: Drafts = self.app.state.drafts
        return drafts

    @property
    def due(self) -> DueDrafts:
        return DueDrafts(self.database, self.app.state.tickets)

    async def agent(self) -> Principal:
        """Return a new agent."""
        response = await self.client.post("/people", json=a_person())
        assert response.status_code == 201, response.text
        return Principal(response.json()["id"], Role.AGENT, name="Alice Liddell")

    async def ticket(self, **fields: Any) -> int:
        ticket_id: int = (await open_ticket(self.client, **fields))["id"]
        return ticket_id

    async def save(self, ticket_id: int, who: Principal, text: str = "Hel", counter: int = 1, **fields: Any) -> Draft:
        return await self.drafts.save(ticket_id, typed(text, counter, **fields), who)

    async def send(self, ticket_id: int, who: Principal, text: str = "Hello", counter: int = 2, **fields: Any) -> Draft:
        values = {"kind": DraftKind.REPLY, "base_version": 1, "email": EMAIL} | fields
        return await self.drafts.send(ticket_id, DraftSend(text=text, counter=counter, **values), who)

    async def pass_time(self, seconds: float) -> None:
        await self.sql.execute("UPDATE moved_clock SET shift = shift + make_interval(secs => $1)", float(seconds))

    async def comments(self, ticket_id: int) -> list[JSON]:
        items: list[JSON] = (await self.client.get(f"/tickets/{ticket_id}/comments")).json()["items"]
        return items

    async def comment(self, ticket_id: int, **fields: Any) -> None:
        body = {"email": "bob@example.com", "text": "Have you tried water?"} | fields
        response = await self.client.post(f"/tickets/{ticket_id}/comments", json=body)
        assert response.status_code == 201, response.text

    async def read(self, ticket_id: int) -> JSON:
        ticket: JSON = (await self.client.get(f"/tickets/{ticket_id}", headers={"Cache-Control": "no-cache"})).json()
        return ticket


def typed(text: str, counter: int, **fields: Any) -> DraftSave:
    """Return what an agent has typed."""
    values = {"kind": DraftKind.REPLY, "base_version": 1, "email": EMAIL} | fields
    return DraftSave(text=text, counter=counter, **values)


@pytest.fixture(scope="module")
async def desk(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[Desk]:
    async with migrated_database() as dsn:
        settings = settings_for(dsn, *redis_address, work="off", allow_anonymous=False)
        sql = await asyncpg.connect(dsn)
        await sql.execute(MOVABLE_CLOCK)
        database = Database(dsn, pool_size=2)
        admin, _ = await ApiKeys(database).create("admin", Role.ADMIN, None)
        async with running(settings) as (app, client):
            client.headers["Authorization"] = f"Bearer {admin}"
            yield Desk(app, client, sql, database, settings)
        await sql.close()
        await database.close()


def unique() -> str:
    """Return a text that no other test writes."""
    return secrets.token_hex(6)
