"""Which connections the pool replaces, and how it closes."""

import asyncio
import time

import pytest

from db.postgres import pool as pool_module
from db.postgres.pool import Pool, PoolClosed, PoolState
from support.fake_connections import FakeConnection, FakeServer, UnresponsiveConnection, both, queued


async def test_a_connection_that_broke_while_in_use_is_replaced(pool: Pool[FakeConnection], server: FakeServer) -> None:
    first, second = await both(pool)
    waiter = await queued(pool)
    first.is_broken = True
    pool.release(first)
    assert await waiter is server.connections[2]
    assert first.end == "terminated"
    pool.release(second)
    assert await pool.acquire() is second


async def test_a_connection_that_broke_while_idle_is_replaced(pool: Pool[FakeConnection], server: FakeServer) -> None:
    for connection in await both(pool):
        pool.release(connection)
        connection.is_broken = True
    assert set(await both(pool)) == set(server.connections[2:])
    assert len(server.connections) == 4


async def test_a_connection_that_breaks_after_its_release_is_replaced_for_the_waiting_caller(
    pool: Pool[FakeConnection], server: FakeServer
) -> None:
    first, _ = await both(pool)
    waiter = await queued(pool)
    pool.release(first)
    first.is_broken = True
    assert await waiter is server.connections[2]
    assert pool.state == PoolState(size=2, in_use=2, waiting=0)


async def test_expired_connections_are_replaced_when_they_are_acquired_or_released(
    pool: Pool[FakeConnection], server: FakeServer
) -> None:
    idle, used = await both(pool)
    pool.release(idle)
    pool.expire_all()
    assert await pool.acquire() is server.connections[2]
    pool.release(used)
    assert await pool.acquire() is server.connections[3]
    assert (idle.end, used.end) == ("terminated", "terminated")


async def test_connections_expire_at_most_once_a_second(pool: Pool[FakeConnection], server: FakeServer) -> None:
    for _ in range(5):
        pool.release(await pool.acquire())
        pool.expire_all()
    assert len(server.connections) == 2


async def test_a_connection_that_is_too_old_is_replaced(
    pool: Pool[FakeConnection], server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, young = await both(pool)
    pool.release(young)
    pool.release(old)
    old.connected_at -= pool_module.RECYCLE_AFTER_S + 1
    young.connected_at -= pool_module.RECYCLE_AFTER_S - 1
    assert await pool.acquire() is young
    assert len(server.connections) == 2
    monkeypatch.setattr(pool_module, "RECYCLE_AFTER_S", 0)
    pool.release(young)
    assert young.end == "terminated"


async def test_closing_closes_idle_connections_and_terminates_those_in_use(pool: Pool[FakeConnection]) -> None:
    idle, used = await both(pool)
    waiter = await queued(pool)
    waiter.cancel()
    await asyncio.wait([waiter])
    pool.release(idle)
    await pool.close()
    assert (idle.end, used.end) == ("closed", "terminated")
    pool.release(used)
    with pytest.raises(PoolClosed):
        await pool.acquire()


async def test_closing_fails_waiting_callers(pool: Pool[FakeConnection], server: FakeServer) -> None:
    await both(pool)
    waiter = await queued(pool)
    await pool.close()
    with pytest.raises(PoolClosed):
        await waiter
    assert len(server.connections) == 2


async def test_a_connection_that_is_opened_while_the_pool_closes_is_terminated(
    pool: Pool[FakeConnection], server: FakeServer
) -> None:
    server.may_connect.clear()
    waiter = await queued(pool)
    await pool.close()
    server.may_connect.set()
    with pytest.raises(PoolClosed):
        await waiter
    assert [connection.end for connection in server.connections] == ["terminated"]


async def test_closing_does_not_wait_for_an_unresponsive_server(
    pool: Pool[FakeConnection], server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "CLOSE_TIMEOUT_S", 0.05)
    server.connection_type = UnresponsiveConnection
    connection = await pool.acquire()
    pool.release(connection)
    began_at = time.monotonic()
    await pool.close()
    assert time.monotonic() - began_at < 1
    assert connection.end == "terminated"
