"""Databases, settings, running applications, and tickets in a given status."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import httpx2
from fastapi import FastAPI

from core.settings import Settings, async_dsn
from db.cache.fence import fence_key
from db.cache.fence_groups import FenceGroups
from db.cache.scripts import RENEW
from db.cache.stored import Stored
from db.cache.ticket_cache import TicketCache
from db.postgres.database import Database
from db.postgres.migrations import migrate
from db.redis.batches import Batches
from db.redis.client import Client, connect
from db.redis.guard import GuardedRedis
from main import create_app
from models import FENCE_GROUPS
from schemas.tickets import TicketCreate
from services.automation.auto_close import AutoCloseTimes
from services.automation.settings import AutomationDefinitions
from services.directory.assignees import Assignees
from services.fields.definitions import FieldDefinitions
from services.tickets.changes import TicketChanges
from services.tickets.new_ticket import NewTicket
from services.tickets.service import TicketService
from services.tickets.working_fields import WorkingFields

JSON = dict[str, Any]
NO_AUTO_CLOSE = AutoCloseTimes(0, 0)

# Creates a database and drops it at the end of the block.
NewDatabase = Callable[[], AbstractAsyncContextManager[str]]

# The log of a fault: a line of the service, or a traceback that Python prints itself.
FAULT = re.compile(r'"level":"(error|critical)"|Traceback')

# The shortest sequence of transitions from a new ticket to each status.
PATHS = {
    "open": [],
    "answered": ["answered"],
    "awaiting_reply": ["answered", "awaiting_reply"],
    "closed": ["closed"],
}


@asynccontextmanager
async def new_database(server_dsn: str, *, template: str = "template1", options: str = "") -> AsyncIterator[str]:
    """Create a database on a server and yield its postgresql:// DSN. It is empty, or a copy of another one.

    `options` are further ones of CREATE DATABASE.
    """
    name = f"tickets_test_{secrets.token_hex(4)}"
    server = await asyncpg.connect(server_dsn)
    await server.execute(f"CREATE DATABASE {name} TEMPLATE {template} {options}")
    base, _, query = server_dsn.partition("?")
    try:
        yield f"{base.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
    finally:
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await server.close()


async def migrate_to_head(dsn: str) -> None:
    """Apply the migrations, in a thread because Alembic runs its own event loop."""
    await asyncio.to_thread(migrate, async_dsn(dsn))


def settings_for(dsn: str, redis_host: str, redis_port: int, **others: Any) -> Settings:
    """Return settings that take nothing from this machine, with a Redis prefix of their own."""
    prefix = f"test-{secrets.token_hex(4)}:"
    defaults: JSON = {
        "database_dsn": dsn,
        "database_pool_size": 20,
        "redis_host": redis_host,
        "redis_port": redis_port,
        "redis_prefix": prefix,
        "allow_anonymous": True,
        "auth_failure_limit": "1000000/60s",
        "undo_send": 0,
    }
    return Settings(_env_file=None, **(defaults | others))


def patient_client(settings: Settings) -> Client:
    """Return a client for a test's own commands: it does not give up as soon as the service does on a busy machine."""
    return connect(settings, timeout_s=10)


@asynccontextmanager
async def cache_of(settings: Settings, *, schema: str = "test") -> AsyncIterator[TicketCache]:
    """Yield a ticket cache without a service."""
    redis = GuardedRedis(connect(settings))
    cache = TicketCache(redis, schema=schema, prefix=settings.redis_prefix)
    await cache.warm_up()
    await raise_fences(redis, settings.redis_prefix)
    renewing = asyncio.create_task(_keep_fences(redis, settings.redis_prefix))
    try:
        yield cache
    finally:
        renewing.cancel()
        await cache.close()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient]]:
    """Yield a started application and a client of it."""
    app = create_app(settings)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://tickets") as client,
    ):
        yield app, client


async def _keep_fences(redis: GuardedRedis, prefix: str) -> None:
    while True:
        await asyncio.sleep(0.1)
        await raise_fences(redis, prefix)


async def raise_fences(redis: GuardedRedis, prefix: str) -> None:
    """Make fences that outlive a test, where no service renews them; groups whose node does not respond get none."""
    keys = [fence_key(prefix, group) for group in range(FENCE_GROUPS)]
    batches = Batches(redis)
    clocks = await batches.clocks(keys, timeout_s=5)
    epoch = secrets.token_hex(8)
    await batches.run(RENEW, {key: (now, 60_000, 600_000, 1, epoch) for key, now in clocks.items()}, timeout_s=5)


class Loader:
    """Stands for PostgreSQL: loads one version and counts the calls."""

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


def a_new_ticket(**fields: Any) -> NewTicket:
    """Return a valid new ticket, as the write path takes it."""
    return NewTicket(TicketCreate(**a_ticket(**fields)), {})


def ticket_service(database: Database, cache: TicketCache) -> TicketService:
    """Return the service that works on a database and a cache."""
    working_fields = WorkingFields(Assignees(database), FieldDefinitions(database))
    return TicketService(database, cache, ticket_changes(database, cache), working_fields)


def ticket_changes(database: Database, cache: TicketCache, close: AutoCloseTimes = NO_AUTO_CLOSE) -> TicketChanges:
    """Return the write path on a database and a cache; without `close`, no ticket is closed by itself."""
    return TicketChanges(database, cache, FenceGroups(database), AutomationDefinitions(database, close))


async def open_ticket(client: httpx2.AsyncClient, **fields: Any) -> JSON:
    """Create a ticket and return it."""
    response = await client.post("/tickets", json=a_ticket(**fields))
    assert response.status_code == 201, response.text
    ticket: JSON = response.json()
    return ticket


async def ticket_in(client: httpx2.AsyncClient, status: str) -> JSON:
    """Create a ticket, bring it to a status and return it."""
    ticket = await open_ticket(client)
    for step in PATHS[status]:
        response = await client.patch(f"/tickets/{ticket['id']}", json={"status": step})
        assert response.status_code == 200, response.text
        ticket = response.json()
    return ticket
