"""Who gets a connection, and when."""

import asyncio
import time

import pytest

from db.postgres.pool import Pool, PoolState, PoolTimeout
from support.fake_connections import Exchange, Line, lent, queued


async def test_nothing_is_connected_before_the_first_use_and_no_more_than_is_needed(
    pool: Pool[Line], exchange: Exchange
) -> None:
    assert exchange.lines == []
    for _ in range(3):
        pool.release(await pool.acquire())
    assert len(exchange.lines) == 1
    assert pool.state == PoolState(size=2, in_use=0, waiting=0)


async def test_the_connection_that_was_used_last_is_lent_first(pool: Pool[Line]) -> None:
    first, second = await lent(pool)
    pool.release(second)
    pool.release(first)
    assert await pool.acquire() is first
    pool.release(first)


async def test_who_waits_longest_is_served_first(pool: Pool[Line]) -> None:
    first, second = await lent(pool)
    waiters = [await queued(pool, 1), await queued(pool, 2), await queued(pool, 3)]
    assert pool.state == PoolState(size=2, in_use=2, waiting=3)
    pool.release(second)
    newcomer = await queued(pool, 3)
    pool.release(first)
    assert [await waiters[0], await waiters[1]] == [second, first]
    for line, waiter in ((second, waiters[2]), (first, newcomer)):
        pool.release(line)
        assert await waiter is line
    assert pool.state == PoolState(size=2, in_use=2, waiting=0)


async def test_there_are_never_more_than_its_size(exchange: Exchange) -> None:
    pool = Pool(exchange.connect, size=3, acquire_timeout_s=5)
    most = 0

    async def borrow() -> None:
        nonlocal most
        line = await pool.acquire()
        most = max(most, pool.state.in_use)
        await asyncio.sleep(0)
        pool.release(line)

    await asyncio.gather(*(borrow() for _ in range(50)))
    assert (most, len(exchange.lines)) == (3, 3)
    await pool.close()


async def test_nobody_waits_longer_than_one_may(exchange: Exchange) -> None:
    pool = Pool(exchange.connect, size=1, acquire_timeout_s=0.05)
    line = await pool.acquire()
    began_at = time.monotonic()
    with pytest.raises(PoolTimeout):
        await pool.acquire()
    assert 0.04 < time.monotonic() - began_at < 1
    assert pool.state == PoolState(size=1, in_use=1, waiting=0)
    pool.release(line)
    assert await pool.acquire() is line
    await pool.close()


async def test_a_connection_that_comes_when_the_wait_is_over_is_lent_to_the_next(exchange: Exchange) -> None:
    pool, loop = Pool(exchange.connect, size=1, acquire_timeout_s=0.2), asyncio.get_running_loop()
    line = await pool.acquire()
    began_at = loop.time()
    late = await queued(pool, 1)
    await asyncio.sleep(0.1)
    in_time = await queued(pool, 2)
    loop.call_at(began_at + 0.21, pool.release, line)
    time.sleep(0.12)  # noqa: ASYNC251 - the loop finds the end of the one's wait and the connection in the same turn
    with pytest.raises(PoolTimeout):
        await late
    assert await in_time is line
    await pool.close()


async def test_connecting_counts_as_waiting(pool: Pool[Line], exchange: Exchange) -> None:
    exchange.may_connect.clear()
    first, second, third = await queued(pool, 1), await queued(pool, 2), await queued(pool, 3)
    assert pool.state == PoolState(size=2, in_use=0, waiting=3)
    exchange.may_connect.set()
    lines = await asyncio.gather(first, second)
    assert pool.state == PoolState(size=2, in_use=2, waiting=1)
    pool.release(lines[0])
    assert await third is lines[0]


async def test_who_is_cancelled_while_waiting_leaves_the_queue(pool: Pool[Line]) -> None:
    first, _ = await lent(pool)
    gone, stays = await queued(pool, 1), await queued(pool, 2)
    gone.cancel()
    await asyncio.wait([gone])
    assert (gone.cancelled(), pool.state.waiting) == (True, 1)
    pool.release(first)
    assert await stays is first


@pytest.mark.parametrize("is_cancelled_first", [True, False])
async def test_a_connection_handed_to_who_is_cancelled_in_that_moment_goes_to_the_next(
    pool: Pool[Line], *, is_cancelled_first: bool
) -> None:
    first, _ = await lent(pool)
    gone, stays = await queued(pool, 1), await queued(pool, 2)
    if is_cancelled_first:
        gone.cancel()
    pool.release(first)
    gone.cancel()
    assert await stays is first
    assert gone.cancelled()
    assert pool.state == PoolState(size=2, in_use=2, waiting=0)


async def test_a_place_handed_to_who_is_cancelled_in_that_moment_goes_to_the_next(
    pool: Pool[Line], exchange: Exchange
) -> None:
    first, _ = await lent(pool)
    gone, stays = await queued(pool, 1), await queued(pool, 2)
    first.terminate()
    pool.release(first)
    gone.cancel()
    assert await stays is exchange.lines[2]
    assert gone.cancelled()
    assert pool.state == PoolState(size=2, in_use=2, waiting=0)


async def test_who_is_cancelled_while_connecting_leaves_its_place_to_the_next(
    pool: Pool[Line], exchange: Exchange
) -> None:
    exchange.may_connect.clear()
    gone, stays, waits = await queued(pool, 1), await queued(pool, 2), await queued(pool, 3)
    gone.cancel()
    await asyncio.wait([gone])
    exchange.may_connect.set()
    assert {await stays, await waits} == set(exchange.lines)
    assert len(exchange.lines) == 2


async def test_a_server_that_is_away_is_told_to_each_and_takes_no_place(pool: Pool[Line], exchange: Exchange) -> None:
    exchange.error = ConnectionRefusedError()
    answers = await asyncio.gather(*(pool.acquire() for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionRefusedError] * 5
    assert pool.state == PoolState(size=2, in_use=0, waiting=0)
    exchange.error = None
    await lent(pool)
