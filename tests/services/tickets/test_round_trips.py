"""The number of round trips of each operation to PostgreSQL and to Redis."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from asyncpg.connection import LoggedQuery
from redis.asyncio import Connection as RedisConnection

from core import logs
from core.settings import Settings
from db.postgres.database import Database
from db.redis.multiplexed import MultiplexedConnection
from models import Role
from services.access.api_keys import ApiKeys
from support.factories import JSON, NewDatabase, a_comment, a_ticket, open_ticket, running, settings_for

# This many tickets are spread over all nodes of the cluster, so that each node is connected and has every script.
ON_EVERY_NODE = 12

LOOKUP = ["WITH"]
READ = ["SELECT"]
CREATE = ["WITH"]
TRANSACTION = ["BEGIN", "COMMIT"]
CHANGE = ["SELECT", "WITH"]


@dataclass
class Wire:
    """Collects the first words of the statements, and counts the messages to Redis.

    It records requests only: background tasks use both servers as well.
    """

    statements: list[str] = field(default_factory=list)
    messages: int = 0

    def record(self, query: LoggedQuery) -> None:
        """Record a statement that asyncpg reports, BEGIN and COMMIT included."""
        if logs.request.get() is not None:
            self.statements.append(query.query.split(maxsplit=1)[0].rstrip(";"))

    def send(self) -> None:
        self.messages += logs.request.get() is not None


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    wire, send, execute = Wire(), RedisConnection.send_packed_command, MultiplexedConnection.execute

    async def sent(self: RedisConnection, *args: Any, **options: Any) -> None:
        wire.send()
        await send(self, *args, **options)

    def executed(self: MultiplexedConnection, *args: Any, **options: Any) -> asyncio.Future[Any]:
        wire.send()
        return execute(self, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RedisConnection, "send_packed_command", sent)
        patch.setattr(MultiplexedConnection, "execute", executed)
        yield wire


@pytest.fixture(scope="module")
async def settings(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[Settings]:
    """The settings of a separate database: its first key ends the anonymous mode permanently."""
    async with migrated_database() as dsn:
        yield settings_for(dsn, *redis_address)


@pytest.fixture(scope="module")
async def agent(settings: Settings, wire: Wire) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with the key of an agent; the service has processed each kind of request before."""
    assert settings.database_dsn is not None
    async with running(settings) as (app, client):
        app.state.tickets._database.add_statement_listener(wire.record)  # noqa: SLF001 - the application shares it
        database = Database(settings.database_dsn.get_secret_value(), pool_size=1)
        key, _ = await ApiKeys(database).create("round-trips", Role.AGENT)
        await database.close()
        client.headers["Authorization"] = f"Bearer {key}"
        for _ in range(ON_EVERY_NODE):
            path = await opened(client)
            for _ in range(2):
                await client.get(path)
                await client.post(f"{path}/comments", json=a_comment())
        for path in ("/tickets", "/tickets?q=printer"):
            await client.get(path)
        yield client


async def opened(client: httpx2.AsyncClient) -> str:
    return f"/tickets/{(await open_ticket(client))['id']}"


async def trips(wire: Wire, client: httpx2.AsyncClient, method: str, path: str, **sent: Any) -> tuple[list[str], int]:
    """Send one request; return its statements, sorted, and the number of its messages to Redis."""
    await asyncio.sleep(0)  # asyncpg reports a statement after its response
    wire.statements.clear()
    wire.messages = 0
    response = await client.request(method, path, **sent)
    await asyncio.sleep(0)
    assert response.status_code < 400, response.text
    return sorted(wire.statements), wire.messages


async def test_a_cached_ticket_costs_one_message_to_redis(wire: Wire, agent: httpx2.AsyncClient) -> None:
    path = await opened(agent)
    await agent.get(path)
    assert await trips(wire, agent, "GET", path) == ([], 1)


async def test_a_304_from_the_cache_costs_one_message_to_redis(wire: Wire, agent: httpx2.AsyncClient) -> None:
    path = await opened(agent)
    await agent.get(path)
    assert await trips(wire, agent, "GET", path, headers={"If-None-Match": '"1"'}) == ([], 1)


async def test_a_ticket_that_is_not_cached_is_looked_up_leased_and_filled(
    wire: Wire, agent: httpx2.AsyncClient
) -> None:
    assert await trips(wire, agent, "GET", await opened(agent)) == (LOOKUP, 3)


async def test_a_read_that_bypasses_the_cache_sends_nothing_to_redis(wire: Wire, agent: httpx2.AsyncClient) -> None:
    path = await opened(agent)
    assert await trips(wire, agent, "GET", path, headers={"Cache-Control": "no-cache"}) == (LOOKUP, 0)


async def test_a_new_ticket_is_one_statement_that_is_its_own_transaction(wire: Wire, agent: httpx2.AsyncClient) -> None:
    assert await trips(wire, agent, "POST", "/tickets", json=a_ticket()) == (CREATE, 0)


async def test_an_idempotency_key_costs_a_lock_a_select_and_an_insert(wire: Wire, agent: httpx2.AsyncClient) -> None:
    key = {"Idempotency-Key": "round-trips"}
    used = await trips(wire, agent, "POST", "/tickets", json=a_ticket(), headers=key)
    assert used == (sorted([*TRANSACTION, *CREATE, "SELECT", "SELECT", "INSERT"]), 0)


@pytest.mark.parametrize("body", [a_comment(), a_comment(status="answered")], ids=["alone", "with a transition"])
async def test_a_comment_is_a_read_and_a_save_between_two_invalidations(
    wire: Wire, agent: httpx2.AsyncClient, body: JSON
) -> None:
    path = await opened(agent)
    assert await trips(wire, agent, "POST", f"{path}/comments", json=body) == (CHANGE, 2)


async def test_a_change_is_a_read_and_a_save_between_two_invalidations(wire: Wire, agent: httpx2.AsyncClient) -> None:
    path = await opened(agent)
    assert await trips(wire, agent, "PATCH", path, json={"subject": "Other"}) == (CHANGE, 2)


async def test_an_edit_that_changes_nothing_is_a_read_and_one_invalidation(
    wire: Wire, agent: httpx2.AsyncClient
) -> None:
    path = await opened(agent)
    await agent.get(path)
    unchanged = {"subject": a_ticket()["subject"]}
    assert await trips(wire, agent, "PATCH", path, json=unchanged) == (READ, 1)
    assert (await agent.get(path)).headers["Cache-Status"] == "tickets; fwd=miss; stored"


@pytest.mark.parametrize("below", ["", "/comments", "/history"])
async def test_a_page_is_one_statement(wire: Wire, agent: httpx2.AsyncClient, below: str) -> None:
    ticket = await opened(agent)
    await agent.post(f"{ticket}/comments", json=a_comment())
    path, read = (f"{ticket}{below}", READ) if below else ("/tickets", ["WITH"])
    assert await trips(wire, agent, "GET", path) == (read, 0)


async def test_a_search_is_one_statement(wire: Wire, agent: httpx2.AsyncClient) -> None:
    assert await trips(wire, agent, "GET", "/tickets?q=printer") == (["WITH"], 0)
