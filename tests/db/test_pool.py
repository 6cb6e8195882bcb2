"""Who gets a connection and when, with connections that only say what is done to them."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from db import pool as pool_module
from db.pool import Pool, PoolClosed, PoolState, PoolTimeout


class Line:
    """A connection that goes nowhere."""

    def __init__(self) -> None:
        self.connected_at = time.monotonic()
        self.is_broken = False
        self.end = ""

    def is_closed(self) -> bool:
        return self.is_broken or bool(self.end)

    async def close(self) -> None:
        self.end = "closed"

    def terminate(self) -> None:
        self.end = self.end or "terminated"


class Silent(Line):
    """One whose server does not answer a goodbye."""

    async def close(self) -> None:
        await asyncio.sleep(60)


class Exchange:
    """Makes the connections of a pool; it can be away, or take its time until `may_connect`."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.makes: type[Line] = Line
        self.error: Exception | None = None
        self.may_connect = asyncio.Event()
        self.may_connect.set()

    async def connect(self) -> Line:
        await self.may_connect.wait()
        if self.error is not None:
            raise self.error
        self.lines.append(self.makes())
        return self.lines[-1]


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
async def pool(exchange: Exchange) -> AsyncIterator[Pool[Line]]:
    """A pool of two."""
    pool = Pool(exchange.connect, size=2, waits_s=5)
    yield pool
    exchange.may_connect.set()
    await pool.close()
    assert all(line.end for line in exchange.lines)


async def queued(pool: Pool[Line], waiting: int = 1) -> asyncio.Task[Line]:
    """Return somebody who waits for a connection, as the last of so many."""
    task = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    assert (task.done(), pool.state.waiting) == (False, waiting)
    return task


async def lent(pool: Pool[Line]) -> tuple[Line, Line]:
    """Return both connections of a pool."""
    return await pool.acquire(), await pool.acquire()


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
    pool = Pool(exchange.connect, size=3, waits_s=5)
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
    pool = Pool(exchange.connect, size=1, waits_s=0.05)
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
    pool, loop = Pool(exchange.connect, size=1, waits_s=0.2), asyncio.get_running_loop()
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


async def test_a_connection_that_broke_while_it_was_lent_is_replaced(pool: Pool[Line], exchange: Exchange) -> None:
    first, second = await lent(pool)
    waiter = await queued(pool)
    first.is_broken = True
    pool.release(first)
    assert await waiter is exchange.lines[2]
    assert first.end == "terminated"
    pool.release(second)
    assert await pool.acquire() is second


async def test_a_connection_that_broke_while_nobody_used_it_is_replaced(pool: Pool[Line], exchange: Exchange) -> None:
    for line in await lent(pool):
        pool.release(line)
        line.is_broken = True
    assert set(await lent(pool)) == set(exchange.lines[2:])
    assert len(exchange.lines) == 4


async def test_a_connection_that_breaks_on_its_way_to_who_waits_is_replaced(
    pool: Pool[Line], exchange: Exchange
) -> None:
    first, _ = await lent(pool)
    waiter = await queued(pool)
    pool.release(first)
    first.is_broken = True
    assert await waiter is exchange.lines[2]
    assert pool.state == PoolState(size=2, in_use=2, waiting=0)


async def test_what_is_distrusted_is_replaced_when_it_is_lent_or_given_back(
    pool: Pool[Line], exchange: Exchange
) -> None:
    idle, used = await lent(pool)
    pool.release(idle)
    pool.distrust()
    assert await pool.acquire() is exchange.lines[2]
    pool.release(used)
    assert await pool.acquire() is exchange.lines[3]
    assert (idle.end, used.end) == ("terminated", "terminated")


async def test_it_is_not_distrusted_again_and_again(pool: Pool[Line], exchange: Exchange) -> None:
    for _ in range(5):
        pool.release(await pool.acquire())
        pool.distrust()
    assert len(exchange.lines) == 2


async def test_a_connection_that_is_too_old_is_replaced(
    pool: Pool[Line], exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, young = await lent(pool)
    pool.release(young)
    pool.release(old)
    old.connected_at -= pool_module.RECYCLE_AFTER_S + 1
    young.connected_at -= pool_module.RECYCLE_AFTER_S - 1
    assert await pool.acquire() is young
    assert len(exchange.lines) == 2
    monkeypatch.setattr(pool_module, "RECYCLE_AFTER_S", 0)
    pool.release(young)
    assert young.end == "terminated"


async def test_closing_says_goodbye_and_hangs_up_where_somebody_is_in_the_way(pool: Pool[Line]) -> None:
    idle, used = await lent(pool)
    waiter = await queued(pool)
    waiter.cancel()
    await asyncio.wait([waiter])
    pool.release(idle)
    await pool.close()
    assert (idle.end, used.end) == ("closed", "terminated")
    pool.release(used)
    with pytest.raises(PoolClosed):
        await pool.acquire()


async def test_closing_refuses_who_waits(pool: Pool[Line], exchange: Exchange) -> None:
    await lent(pool)
    waiter = await queued(pool)
    await pool.close()
    with pytest.raises(PoolClosed):
        await waiter
    assert len(exchange.lines) == 2


async def test_what_was_being_connected_when_it_was_closed_is_not_left_open(
    pool: Pool[Line], exchange: Exchange
) -> None:
    exchange.may_connect.clear()
    waiter = await queued(pool)
    await pool.close()
    exchange.may_connect.set()
    with pytest.raises(PoolClosed):
        await waiter
    assert [line.end for line in exchange.lines] == ["terminated"]


async def test_closing_does_not_wait_for_a_server_that_is_silent(
    pool: Pool[Line], exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "CLOSE_TIMEOUT_S", 0.05)
    exchange.makes = Silent
    line = await pool.acquire()
    pool.release(line)
    began_at = time.monotonic()
    await pool.close()
    assert time.monotonic() - began_at < 1
    assert line.end == "terminated"
