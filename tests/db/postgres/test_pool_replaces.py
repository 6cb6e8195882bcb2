"""Which connections are not lent again, and what becomes of all at the end."""

import asyncio
import time

import pytest

from db.postgres import pool as pool_module
from db.postgres.pool import Pool, PoolClosed, PoolState
from support.fake_connections import Exchange, Line, Silent, lent, queued


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
    pool.expire_all()
    assert await pool.acquire() is exchange.lines[2]
    pool.release(used)
    assert await pool.acquire() is exchange.lines[3]
    assert (idle.end, used.end) == ("terminated", "terminated")


async def test_it_is_not_distrusted_again_and_again(pool: Pool[Line], exchange: Exchange) -> None:
    for _ in range(5):
        pool.release(await pool.acquire())
        pool.expire_all()
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
