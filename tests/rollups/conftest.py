"""A service on a database of its own, whose events a test publishes and counts step by step."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from db.postgres.database import Database
from models import Role
from services.access.api_keys import ApiKeys
from services.numbers.rollup import NumberRollup
from support.factories import JSON, NewDatabase, open_ticket, running, settings_for

Numbers = dict[tuple[Any, ...], int]


@dataclass(frozen=True)
class Counting:
    """The service, the computation of its numbers, and a connection that bypasses it."""

    app: FastAPI
    client: httpx2.AsyncClient
    sql: asyncpg.Connection
    database: Database
    dsn: str
    tickets: list[int] = field(default_factory=list)

    @property
    def rollup(self) -> NumberRollup:
        return NumberRollup(self.database)

    async def ticket(self, **fields: Any) -> int:
        ticket_id: int = (await open_ticket(self.client, **fields))["id"]
        self.tickets.append(ticket_id)
        return ticket_id

    async def change(self, ticket_id: int, **fields: Any) -> httpx2.Response:
        return await self.client.patch(f"/tickets/{ticket_id}", json=fields)

    async def publish(self) -> None:
        await self.app.state.publisher.publish_round()

    async def count(self) -> None:
        """Count what is published."""
        while await self.rollup.step():
            pass

    async def stored(self) -> Numbers:
        """Return the numbers that are read."""
        rows = await self.sql.fetch(
            "SELECT kind, hour, value, metric, bucket, count FROM number_hours JOIN number_state USING (generation)"
        )
        return {tuple(row)[:-1]: row["count"] for row in rows}

    async def act(self, dice: random.Random) -> None:
        """Do something to a ticket, which may be refused."""
        if len(self.tickets) < 3 or dice.random() < 0.2:
            await self.ticket(tags=dice.choice([[], ["a"], ["a", "b"]]))
            return
        path = f"/tickets/{dice.choice(self.tickets)}"
        body: JSON = dice.choice(
            [
                {"status": "answered"},
                {"status": "awaiting_reply"},
                {"status": "closed"},
                {"tags": ["b", "c"]},
                {"tags": []},
                {"assignee_id": "key:admin"},
                {"assignee_id": None},
                {"priority": "high", "subject": "Another"},
            ]
        )
        await self.client.patch(path, json=body)


@pytest.fixture
async def counting(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[Counting]:
    async with migrated_database() as dsn:
        sql = await asyncpg.connect(dsn)
        database = Database(dsn, pool_size=2)
        admin, _ = await ApiKeys(database).create("admin", Role.ADMIN)
        async with running(settings_for(dsn, *redis_address, work="off", allow_anonymous=False)) as (app, client):
            client.headers["Authorization"] = f"Bearer {admin}"
            yield Counting(app, client, sql, database, dsn)
        await sql.close()
        await database.close()
