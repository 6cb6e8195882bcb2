"""What the tests build their worlds from: databases, applications, and tickets in a wanted state."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx2
from fastapi import FastAPI

from core.settings import Settings, async_dsn
from db.cache.ticket_cache import Stored, TicketCache
from db.postgres.migrations import migrate
from db.redis.client import connect
from db.redis.guard import GuardedRedis
from main import create_app

JSON = dict[str, Any]

# What a service logs of a fault, and what Python says where nothing is logged.
FAULT = re.compile(r'"level":"(error|critical)"|Traceback')

# The shortest way from a new ticket to each status.
PATHS = {
    "open": [],
    "answered": ["answered"],
    "awaiting_reply": ["answered", "awaiting_reply"],
    "closed": ["closed"],
}


@asynccontextmanager
async def new_database(server_dsn: str, *, options: str = "") -> AsyncIterator[str]:
    """Yield the postgresql:// address of a new, empty database on a server; `options` are those of CREATE DATABASE."""
    name = f"tickets_test_{secrets.token_hex(4)}"
    server = await asyncpg.connect(server_dsn)
    await server.execute(f"CREATE DATABASE {name} {options}")
    base, _, query = server_dsn.partition("?")
    try:
        yield f"{base.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
    finally:
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await server.close()


async def migrate_to_head(dsn: str) -> None:
    """Apply the migrations; Alembic runs an event loop of its own, so it gets a thread of its own."""
    await asyncio.to_thread(migrate, async_dsn(dsn))


def settings_for(dsn: str, redis_host: str, redis_port: int, **others: Any) -> Settings:
    """Return settings that take nothing from this machine, with a part of the cache that is nobody else's."""
    prefix = f"test-{secrets.token_hex(4)}:"
    wanted: JSON = {
        "database_dsn": dsn,
        "database_pool_size": 20,
        "redis_host": redis_host,
        "redis_port": redis_port,
        "redis_prefix": prefix,
        "allow_anonymous": True,
        "auth_failure_limit": "1000000/60s",
    }
    return Settings(_env_file=None, **(wanted | others))


@asynccontextmanager
async def cache_of(settings: Settings, *, schema: str = "test") -> AsyncIterator[TicketCache]:
    """Lend a ticket cache without a service round it."""
    cache = TicketCache(GuardedRedis(connect(settings)), schema=schema, prefix=settings.redis_prefix)
    await cache.warm_up()
    try:
        yield cache
    finally:
        await cache.close()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient]]:
    """Lend an application between its start and its stop, and a client of it."""
    app = create_app(settings)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://tickets") as client,
    ):
        yield app, client


class Loader:
    """Stands for PostgreSQL: brings one version, counts how often it was asked, and may do something meanwhile."""

    def __init__(self, version: int) -> None:
        self.stored = Stored(version, b"body %d" % version)
        self.calls = 0

    async def __call__(self) -> Stored:
        self.calls += 1
        return self.stored


def a_ticket(**fields: Any) -> JSON:
    """Return the body of a valid new ticket."""
    return {
        "subject": "The printer is on fire",
        "text": "It started after lunch.",
        "email": "alice@example.com",
    } | fields


def a_comment(**fields: Any) -> JSON:
    """Return the body of a valid comment."""
    return {"email": "bob@example.com", "text": "Have you tried water?"} | fields


async def open_ticket(client: httpx2.AsyncClient, **fields: Any) -> JSON:
    """Create a ticket and return it."""
    answer = await client.post("/tickets", json=a_ticket(**fields))
    assert answer.status_code == 201, answer.text
    ticket: JSON = answer.json()
    return ticket


async def ticket_in(client: httpx2.AsyncClient, status: str) -> JSON:
    """Create a ticket, lead it to a status and return it."""
    ticket = await open_ticket(client)
    for step in PATHS[status]:
        answer = await client.patch(f"/tickets/{ticket['id']}", json={"status": step})
        assert answer.status_code == 200, answer.text
        ticket = answer.json()
    return ticket
