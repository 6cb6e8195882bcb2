"""The limit on the number of requests that are processed at once."""

import asyncio
import random

import asyncpg
import httpx2

from api.middleware.concurrency import TIMEOUT_S, ConcurrencyLimiter
from support.factories import open_ticket, running, settings_for


async def test_a_request_without_a_slot_waits_briefly_and_is_refused(
    database_dsn: str, redis_address: tuple[str, int], sql: asyncpg.Connection
) -> None:
    """Two slots, occupied by edits of a ticket whose row another transaction has locked."""
    settings = settings_for(database_dsn, *redis_address, max_concurrent_requests=2)
    async with running(settings) as (_, client):
        ticket = await open_ticket(client)
        path = f"/tickets/{ticket['id']}"
        # Opens the connections of the probes, so that the limit of time below is that of the responses alone.
        assert (await client.get("/readyz")).status_code == 200
        async with sql.transaction():
            await sql.execute("SELECT 1 FROM tickets WHERE id = $1 FOR UPDATE", ticket["id"])
            edits = [asyncio.create_task(client.patch(path, json={"subject": f"edit {each}"})) for each in range(2)]
            await asyncio.sleep(0.2)
            waiting = [asyncio.create_task(client.get("/workflow")) for _ in range(2)]
            await asyncio.sleep(0.05)
            async with asyncio.timeout(TIMEOUT_S / 2):
                assert_overloaded(await client.get("/workflow"))  # the queue is full
                assert (await client.get("/livez")).status_code == 200
                assert (await client.get("/readyz")).status_code == 200
            for refused in await asyncio.gather(*waiting):
                assert_overloaded(refused)
            next_in_line = asyncio.create_task(client.get("/workflow"))
            await asyncio.sleep(0.05)
        assert (await next_in_line).status_code == 200
        assert [(await edit).status_code for edit in edits] == [200, 200]


def assert_overloaded(response: httpx2.Response) -> None:
    assert (response.status_code, response.headers["Content-Type"]) == (503, "application/problem+json")
    assert (response.json()["type"], response.headers["Retry-After"]) == ("/problems/overloaded", "1")


async def test_waiters_are_served_first_in_first_out_and_a_full_queue_refuses_at_once() -> None:
    limiter, served = ConcurrencyLimiter(2), []

    async def wait(name: int) -> None:
        assert await limiter.acquire(5)
        served.append(name)
        limiter.release()

    assert await limiter.acquire(0)
    assert await limiter.acquire(0)
    async with asyncio.timeout(4):
        async with asyncio.TaskGroup() as group:
            # The queue is as long as there are slots.
            for name in (1, 2):
                group.create_task(wait(name))
            await asyncio.sleep(0)
            assert not await limiter.acquire(5)
            limiter.release()
            limiter.release()
    assert (served, limiter.free, limiter.waiting) == ([1, 2], 2, 0)


async def test_a_cancelled_waiter_leaves_no_slot_occupied() -> None:
    limiter = ConcurrencyLimiter(1)
    await limiter.acquire(0)
    waiter = asyncio.create_task(limiter.acquire(5))
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    assert (limiter.free, limiter.waiting) == (0, 0)
    limiter.release()
    assert limiter.free == 1


async def test_a_waiter_cancelled_at_the_moment_of_its_turn_hands_the_slot_over() -> None:
    limiter = ConcurrencyLimiter(2)
    await limiter.acquire(0)
    await limiter.acquire(0)
    first, second = (asyncio.create_task(limiter.acquire(5)) for _ in range(2))
    await asyncio.sleep(0)
    limiter.release()
    first.cancel()
    async with asyncio.timeout(5):
        assert await second
    assert (limiter.free, limiter.waiting) == (0, 0)


async def test_no_slot_is_lost_or_duplicated_under_random_waits_and_cancellations() -> None:
    limiter, chance, inside = ConcurrencyLimiter(3), random.Random(1), 0  # noqa: S311 - reproducible, not secret

    async def occupy() -> None:
        nonlocal inside
        if await limiter.acquire(chance.random() * 0.004):
            inside += 1
            try:
                assert inside <= 3
                await asyncio.sleep(chance.random() * 0.004)
            finally:
                inside -= 1
                limiter.release()

    tasks = []
    for _ in range(800):
        tasks.append(asyncio.create_task(occupy()))
        await asyncio.sleep(0.0002 if chance.random() < 0.5 else 0)
        if chance.random() < 0.4:
            chance.choice(tasks).cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(end is None or isinstance(end, asyncio.CancelledError) for end in ends)
    assert (limiter.free, limiter.waiting, inside) == (3, 0, 0)
