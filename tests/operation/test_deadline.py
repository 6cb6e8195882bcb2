"""No request takes longer than its deadline, and the response states the outcome of a write correctly."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx2
import pytest

from support.factories import JSON, a_ticket, open_ticket, running, settings_for
from support.postgres_proxy import Withheld, postgres_proxy

REQUEST_TIMEOUT_S = 1
RESPONSE_TIMEOUT_S = 2
MARK = "on the mark"

either_side_of_the_commit = pytest.mark.parametrize("withheld", Withheld, ids=["before-the-commit", "after-the-commit"])


@asynccontextmanager
async def client_on(
    dsn: str, redis_address: tuple[str, int], **others: Any
) -> AsyncIterator[tuple[httpx2.AsyncClient, JSON]]:
    """Yield a client of a service with a short deadline, and a ticket."""
    short = settings_for(dsn, *redis_address, request_timeout=REQUEST_TIMEOUT_S, **others)
    async with running(short) as (_, client):
        yield client, await open_ticket(client)


@asynccontextmanager
async def client_behind_proxy(
    dsn: str, redis_address: tuple[str, int], withheld: Withheld
) -> AsyncIterator[tuple[httpx2.AsyncClient, JSON]]:
    """Yield the same, of a service that loses a message of the first transaction with MARK."""
    async with (
        postgres_proxy(dsn, MARK, withheld) as (_, through_proxy),
        client_on(through_proxy, redis_address) as both,
    ):
        yield both


@asynccontextmanager
async def locked(dsn: str, statement: str) -> AsyncIterator[asyncpg.Connection]:
    """Hold the locks of a statement during the block."""
    holder = await asyncpg.connect(dsn)
    try:
        async with holder.transaction():
            await holder.execute(statement)
            yield holder
    finally:
        await holder.close()


async def assert_outcome_unknown_in_time(request: Awaitable[httpx2.Response]) -> None:
    """Check that a write gets its response by its deadline, with the outcome unknown."""
    began_at = time.monotonic()
    response = await request
    assert time.monotonic() - began_at < RESPONSE_TIMEOUT_S
    assert (response.status_code, response.json()["type"]) == (503, "/problems/outcome-unknown")
    assert response.headers["Retry-After"]


async def test_a_request_that_waits_too_long_fails_and_holds_no_connection(
    own_database_dsn: str, redis_address: tuple[str, int]
) -> None:
    async with client_on(own_database_dsn, redis_address, database_pool_size=1) as (client, ticket):
        path = f"/tickets/{ticket['id']}"
        async with locked(own_database_dsn, f"SELECT FROM tickets WHERE id = {ticket['id']} FOR UPDATE"):
            began_at = time.monotonic()
            response = await client.patch(path, json={"status": "closed"})
            assert time.monotonic() - began_at < RESPONSE_TIMEOUT_S
            assert (response.status_code, response.json()["type"]) == (503, "/problems/deadline-exceeded")
            assert response.headers["Retry-After"]
            assert (await client.get(path, headers={"Cache-Control": "no-cache"})).json()["status"] == "open"
        assert (await client.patch(path, json={"status": "closed"})).status_code == 200


@either_side_of_the_commit
async def test_a_commit_that_takes_too_long_has_an_unknown_outcome_and_is_never_read_stale(
    own_database_dsn: str, redis_address: tuple[str, int], withheld: Withheld
) -> None:
    async with client_behind_proxy(own_database_dsn, redis_address, withheld) as (client, ticket):
        path = f"/tickets/{ticket['id']}"
        for _ in range(2):
            assert (await client.get(path)).json()["version"] == 1
        await assert_outcome_unknown_in_time(client.patch(path, json={"subject": MARK}))
        was_committed = withheld is Withheld.RESPONSE
        assert (await client.get(path)).json()["version"] == (2 if was_committed else 1)


@either_side_of_the_commit
async def test_a_creation_whose_commit_takes_too_long_has_an_unknown_outcome(
    own_database_dsn: str, redis_address: tuple[str, int], withheld: Withheld
) -> None:
    async with client_behind_proxy(own_database_dsn, redis_address, withheld) as (client, _):
        await assert_outcome_unknown_in_time(client.post("/tickets", json=a_ticket(subject=MARK)))
        # A later read finds the outcome in the database.
        subjects = [ticket["subject"] for ticket in (await client.get("/tickets")).json()["items"]]
        assert subjects.count(MARK) == (withheld is Withheld.RESPONSE)


async def test_a_creation_that_waited_for_a_connection_until_its_deadline_was_not_written(
    own_database_dsn: str, redis_address: tuple[str, int]
) -> None:
    async with (
        client_on(own_database_dsn, redis_address, database_pool_size=1) as (client, ticket),
        locked(own_database_dsn, "LOCK TABLE tickets") as holder,
    ):
        change = client.patch(f"/tickets/{ticket['id']}", json={"status": "closed"})
        _, response = await asyncio.gather(change, client.post("/tickets", json=a_ticket()))
        assert (response.status_code, response.json()["type"]) == (503, "/problems/deadline-exceeded")
        assert await holder.fetchval("SELECT count(*) FROM tickets") == 1


async def test_many_requests_that_wait_for_a_connection_fail_in_time(
    own_database_dsn: str, redis_address: tuple[str, int]
) -> None:
    async with (
        client_on(own_database_dsn, redis_address, database_pool_size=2) as (client, ticket),
        locked(own_database_dsn, "LOCK TABLE tickets"),
    ):
        began_at = time.monotonic()
        requests = [client.patch(f"/tickets/{ticket['id']}", json={"status": "closed"}) for _ in range(10)]
        requests += [client.post("/tickets", json=a_ticket()) for _ in range(10)]
        responses = await asyncio.gather(*requests)
        assert time.monotonic() - began_at < RESPONSE_TIMEOUT_S
        assert {response.status_code for response in responses} == {503}
        # A busy database is not an unavailable one.
        readiness = await client.get("/readyz")
        assert (readiness.status_code, readiness.json()["database"]) == (200, "ok")


async def test_a_slow_upload_takes_none_of_the_time_for_the_work(
    own_database_dsn: str, redis_address: tuple[str, int]
) -> None:
    async with client_on(own_database_dsn, redis_address) as (client, ticket):

        async def upload() -> AsyncIterator[bytes]:
            for part in (b'{"status"', b": ", b'"closed"}'):
                yield part
                await asyncio.sleep(REQUEST_TIMEOUT_S / 2)

        headers = {"Content-Type": "application/json"}
        response = await client.patch(f"/tickets/{ticket['id']}", content=upload(), headers=headers)
        assert (response.status_code, response.json().get("status")) == (200, "closed"), response.text
