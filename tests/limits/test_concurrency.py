"""How many requests are carried out at once."""

import asyncio
import random

import asyncpg
import httpx2

from api.middleware.concurrency import TIMEOUT_S, ConcurrencyLimiter
from support.factories import open_ticket, running, settings_for


async def test_who_finds_no_place_waits_briefly_and_is_told_to_come_again(
    database_dsn: str, redis_address: tuple[str, int], sql: asyncpg.Connection
) -> None:
    """Two places, taken by edits that wait for a ticket which somebody else has locked."""
    settings = settings_for(database_dsn, *redis_address, max_concurrent_requests=2)
    async with running(settings) as (_, client):
        ticket = await open_ticket(client)
        path = f"/tickets/{ticket['id']}"
        async with sql.transaction():
            await sql.execute("SELECT 1 FROM tickets WHERE id = $1 FOR UPDATE", ticket["id"])
            edits = [asyncio.create_task(client.patch(path, json={"subject": f"edit {each}"})) for each in range(2)]
            await asyncio.sleep(0.2)
            waiting = [asyncio.create_task(client.get("/workflow")) for _ in range(2)]
            await asyncio.sleep(0.05)
            async with asyncio.timeout(TIMEOUT_S / 2):
                assert_overloaded(await client.get("/workflow"))  # as many wait as may
                assert (await client.get("/livez")).status_code == 200
                assert (await client.get("/readyz")).status_code == 200
            for refused in await asyncio.gather(*waiting):
                assert_overloaded(refused)
            next_in_line = asyncio.create_task(client.get("/workflow"))
            await asyncio.sleep(0.05)
        assert (await next_in_line).status_code == 200
        assert [(await edit).status_code for edit in edits] == [200, 200]


def assert_overloaded(answer: httpx2.Response) -> None:
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert (answer.json()["type"], answer.headers["Retry-After"]) == ("/problems/overloaded", "1")


async def test_places_go_to_who_waits_longest() -> None:
    places, came = ConcurrencyLimiter(1), []

    async def come(name: int) -> None:
        assert await places.take(5)
        came.append(name)
        places.give_back()

    assert await places.take(0)
    async with asyncio.timeout(5):
        async with asyncio.TaskGroup() as group:
            # As many wait as there are places.
            group.create_task(come(1))
            await asyncio.sleep(0)
            assert not await places.take(5)
            places.give_back()
    assert (came, places.free, places.waiting) == ([1], 1, 0)


async def test_who_gives_up_waiting_leaves_no_place_taken() -> None:
    places = ConcurrencyLimiter(1)
    await places.take(0)
    waiter = asyncio.create_task(places.take(5))
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    assert (places.free, places.waiting) == (0, 0)
    places.give_back()
    assert places.free == 1


async def test_who_gives_up_in_the_moment_of_its_turn_hands_the_place_on() -> None:
    places = ConcurrencyLimiter(2)
    await places.take(0)
    await places.take(0)
    first, second = (asyncio.create_task(places.take(5)) for _ in range(2))
    await asyncio.sleep(0)
    places.give_back()
    first.cancel()
    async with asyncio.timeout(5):
        assert await second
    assert (places.free, places.waiting) == (0, 0)


async def test_no_place_is_lost_or_doubled_in_a_crowd_that_comes_waits_and_leaves() -> None:
    places, chance, inside = ConcurrencyLimiter(3), random.Random(1), 0  # noqa: S311 - the same crowd each time

    async def come() -> None:
        nonlocal inside
        if await places.take(chance.random() * 0.004):
            inside += 1
            try:
                assert inside <= 3
                await asyncio.sleep(chance.random() * 0.004)
            finally:
                inside -= 1
                places.give_back()

    crowd = []
    for _ in range(800):
        crowd.append(asyncio.create_task(come()))
        await asyncio.sleep(0.0002 if chance.random() < 0.5 else 0)
        if chance.random() < 0.4:
            chance.choice(crowd).cancel()
    ends = await asyncio.gather(*crowd, return_exceptions=True)
    assert all(end is None or isinstance(end, asyncio.CancelledError) for end in ends)
    assert (places.free, places.waiting, inside) == (3, 0, 0)
