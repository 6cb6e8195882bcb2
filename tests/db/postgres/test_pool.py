"""The order in which callers acquire connections, the timeout, and cancelled callers."""

import asyncio
import time

import pytest

from db.postgres.pool import Pool, PoolState, PoolTimeout
from support.fake_connections import FakeConnection, FakeServer, both, queued


async def test_a_connection_is_opened_only_when_it_is_needed(pool: Pool[FakeConnection], server: FakeServer) -> None:
    assert server.connections == []
    for _ in range(3):
        pool.release(await pool.acquire())
    assert len(server.connections) == 1
    assert pool.state == PoolState(size=2, in_use=0, waiting=0)


async def test_the_connection_that_was_used_last_is_acquired_first(pool: Pool[FakeConnection]) -> None:
    first, second = await both(pool)
    pool.release(second)
    pool.release(first)
    assert await pool.acquire() is first
    pool.release(first)


async def test_the_caller_that_waits_longest_is_served_first(pool: Pool[FakeConnection]) -> None:
    first, second = await both(pool)
    waiters = [await queued(pool, 1), await queued(pool, 2), await queued(pool, 3)]
    assert pool.state == PoolState(size=2, in_use=2, waiting=3)
    pool.release(second)
    newcomer = await queued(pool, 3)
    pool.release(first)
    assert [await waiters[0], await waiters[1]] == [second, first]
    for connection, waiter in ((second, waiters[2]), (first, newcomer)):
        pool.release(connection)
        assert await waiter is connection
    assert pool.state == PoolState(size=2, in_use=2, waiting=0)


async def test_it_never_opens_more_connections_than_its_size(server: FakeServer) -> None:
    pool = Pool(server.connect, size=3, acquire_timeout_s=5)
    most = 0

    async def use() -> None:
        nonlocal most
        connection = await pool.acquire()
        most = max(most, pool.state.in_use)
        await asyncio.sleep(0)
        pool.release(connection)

    await asyncio.gather(*(use() for _ in range(50)))
    assert (most, len(server.connections)) == (3, 3)
    await pool.close()


async def test_waiting_ends_after_the_acquire_timeout(server: FakeServer) -> None:
    pool = Pool(server.connect, size=1, acquire_timeout_s=0.05)
    connection = await pool.acquire()
    began_at = time.monotonic()
    with pytest.raises(PoolTimeout):
        await pool.acquire()
    assert 0.04 < time.monotonic() - began_at < 1
    assert pool.state == PoolState(size=1, in_use=1, waiting=0)
    pool.release(connection)
    assert await pool.acquire() is connection
    await pool.close()


async def test_a_connection_released_after_a_timeout_goes_to_the_next_caller(server: FakeServer) -> None:
    pool, loop = Pool(server.connect, size=1, acquire_timeout_s=0.2), asyncio.get_running_loop()
    connection = await pool.acquire()
    began_at = loop.time()
    late = await queued(pool, 1)
    await asyncio.sleep(0.1)
    in_time = await queued(pool, 2)
    loop.call_at(began_at + 0.21, pool.release, connection)
    time.sleep(0.12)  # noqa: ASYNC251 - the timeout and the release happen in the same turn of the loop
    with pytest.raises(PoolTimeout):
        await late
    assert await in_time is connection
    await pool.close()


async def test_a_caller_counts_as_waiting_while_its_connection_is_opened(
    pool: Pool[FakeConnection], server: FakeServer
) -> None:
    server.may_connect.clear()
    first, second, third = await queued(pool, 1), await queued(pool, 2), await queued(pool, 3)
    assert pool.state == PoolState(size=2, in_use=0, waiting=3)
    server.may_connect.set()
    lines = await asyncio.gather(first, second)
    assert pool.state == PoolState(size=2, in_use=2, waiting=1)
    pool.release(lines[0])
    assert await third is lines[0]


async def test_a_cancelled_caller_leaves_the_queue(pool: Pool[FakeConnection]) -> None:
    first, _ = await both(pool)
    cancelled, next_caller = await queued(pool, 1), await queued(pool, 2)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    assert (cancelled.cancelled(), pool.state.waiting) == (True, 1)
    pool.release(first)
    assert await next_caller is first


@pytest.mark.parametrize("is_cancelled_first", [True, False])
async def test_a_connection_given_to_a_caller_that_is_cancelled_at_that_moment_goes_to_the_next(
    pool: Pool[FakeConnection], *, is_cancelled_first: bool
) -> None:
    first, _ = await both(pool)
    cancelled, next_caller = await queued(pool, 1), await queued(pool, 2)
    if is_cancelled_first:
        cancelled.cancel()
    pool.release(first)
    cancelled.cancel()
    assert await next_caller is first
    assert cancelled.cancelled()
    assert pool.state == PoolState(size=2, in_use=2, waiting=0)


async def test_a_permit_given_to_a_caller_that_is_cancelled_at_that_moment_goes_to_the_next(
    pool: Pool[FakeConnection], server: FakeServer
) -> None:
    first, _ = await both(pool)
    cancelled, next_caller = await queued(pool, 1), await queued(pool, 2)
    first.terminate()
    pool.release(first)
    cancelled.cancel()
    assert await next_caller is server.connections[2]
    assert cancelled.cancelled()
    assert pool.state == PoolState(size=2, in_use=2, waiting=0)


async def test_a_caller_cancelled_while_connecting_leaves_its_permit_to_the_next(
    pool: Pool[FakeConnection], server: FakeServer
) -> None:
    server.may_connect.clear()
    cancelled, next_caller, third = await queued(pool, 1), await queued(pool, 2), await queued(pool, 3)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    server.may_connect.set()
    assert {await next_caller, await third} == set(server.connections)
    assert len(server.connections) == 2


async def test_a_failed_connection_attempt_raises_for_its_caller_and_keeps_no_permit(
    pool: Pool[FakeConnection], server: FakeServer
) -> None:
    server.error = ConnectionRefusedError()
    results = await asyncio.gather(*(pool.acquire() for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionRefusedError] * 5
    assert pool.state == PoolState(size=2, in_use=0, waiting=0)
    server.error = None
    await both(pool)
