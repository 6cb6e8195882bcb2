"""No request outlives its deadline, and what became of a write is told as it is."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable

import asyncpg
import httpx2
import pytest

from support.factories import a_ticket, migrate_to_head, new_database, open_ticket, running, settings_for
from support.postgres_proxy import Held, held_postgres

REQUEST_TIMEOUT_S = 1
TOLD_WITHIN_S = 2
MARK = "on the mark"


@pytest.fixture
async def dsn(postgres_dsn: str) -> AsyncIterator[str]:
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        yield dsn


async def assert_unknown_in_time(asking: Awaitable[httpx2.Response]) -> None:
    """Hold that a write is answered by its deadline, with an outcome that nobody knows."""
    began_at = time.monotonic()
    answer = await asking
    assert time.monotonic() - began_at < TOLD_WITHIN_S
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/outcome-unknown")
    assert answer.headers["Retry-After"]


async def test_who_waits_too_long_is_told_and_holds_no_connection(dsn: str, redis_address: tuple[str, int]) -> None:
    settings = settings_for(dsn, *redis_address, request_timeout=REQUEST_TIMEOUT_S, database_pool_size=1)
    async with running(settings) as (_, client):
        ticket = await open_ticket(client)
        path = f"/tickets/{ticket['id']}"
        holder = await asyncpg.connect(dsn)
        async with holder.transaction():
            await holder.execute("SELECT FROM tickets WHERE id = $1 FOR UPDATE", ticket["id"])
            began_at = time.monotonic()
            answer = await client.patch(path, json={"status": "closed"})
            assert time.monotonic() - began_at < TOLD_WITHIN_S
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/deadline-exceeded")
            assert answer.headers["Retry-After"]
            assert (await client.get(path, headers={"Cache-Control": "no-cache"})).json()["status"] == "open"
        await holder.close()
        assert (await client.patch(path, json={"status": "closed"})).status_code == 200


@pytest.mark.parametrize("held", Held, ids=["before-the-commit", "after-the-commit"])
async def test_a_commit_that_takes_too_long_has_an_unknown_outcome_and_is_never_read_stale(
    dsn: str, redis_address: tuple[str, int], held: Held
) -> None:
    async with held_postgres(dsn, MARK, held) as (_, way):
        settings = settings_for(way, *redis_address, request_timeout=REQUEST_TIMEOUT_S)
        async with running(settings) as (_, client):
            ticket = await open_ticket(client)
            path = f"/tickets/{ticket['id']}"
            for _ in range(2):
                assert (await client.get(path)).json()["version"] == 1
            await assert_unknown_in_time(client.patch(path, json={"subject": MARK}))
            was_committed = held is Held.ANSWER
            assert (await client.get(path)).json()["version"] == (2 if was_committed else 1)


@pytest.mark.parametrize("held", Held, ids=["before-the-commit", "after-the-commit"])
async def test_a_new_ticket_whose_answer_takes_too_long_has_an_unknown_outcome(
    dsn: str, redis_address: tuple[str, int], held: Held
) -> None:
    async with held_postgres(dsn, MARK, held) as (_, way):
        settings = settings_for(way, *redis_address, request_timeout=REQUEST_TIMEOUT_S)
        async with running(settings) as (_, client):
            await open_ticket(client)
            await assert_unknown_in_time(client.post("/tickets", json=a_ticket(subject=MARK)))
            # Whoever looks afterwards finds what the server made of it.
            subjects = [ticket["subject"] for ticket in (await client.get("/tickets")).json()["items"]]
            assert subjects.count(MARK) == (held is Held.ANSWER)


async def test_a_new_ticket_that_waited_for_a_connection_was_not_written(
    dsn: str, redis_address: tuple[str, int]
) -> None:
    settings = settings_for(dsn, *redis_address, request_timeout=REQUEST_TIMEOUT_S, database_pool_size=1)
    async with running(settings) as (app, client):
        await open_ticket(client)
        # Another request would return the connection at its own deadline, which may be before this one.
        async with app.state.tickets._database.transaction():  # noqa: SLF001 - the only connection
            answer = await client.post("/tickets", json=a_ticket())
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/deadline-exceeded")
        assert len((await client.get("/tickets")).json()["items"]) == 1


async def test_many_who_wait_for_a_connection_are_told_in_time(dsn: str, redis_address: tuple[str, int]) -> None:
    settings = settings_for(dsn, *redis_address, request_timeout=REQUEST_TIMEOUT_S, database_pool_size=2)
    async with running(settings) as (_, client):
        ticket = await open_ticket(client)
        holder = await asyncpg.connect(dsn)
        async with holder.transaction():
            await holder.execute("LOCK TABLE tickets")
            began_at = time.monotonic()
            asked = [client.patch(f"/tickets/{ticket['id']}", json={"status": "closed"}) for _ in range(10)]
            asked += [client.post("/tickets", json=a_ticket()) for _ in range(10)]
            answers = await asyncio.gather(*asked)
            assert time.monotonic() - began_at < TOLD_WITHIN_S
            assert {answer.status_code for answer in answers} == {503}
            # Being busy is no illness.
            readiness = await client.get("/readyz")
            assert (readiness.status_code, readiness.json()["database"]) == (200, "ok")
        await holder.close()
