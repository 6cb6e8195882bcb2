"""Fake connections for the pool: they record how they were closed."""

import asyncio
import time

from db.postgres.pool import Pool


class FakeConnection:
    """A connection without a server; `end` is how it was closed."""

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


class UnresponsiveConnection(FakeConnection):
    """A connection whose server does not respond, so that closing it takes long."""

    async def close(self) -> None:
        await asyncio.sleep(60)


class FakeServer:
    """Creates the connections of a pool. Connecting waits for `may_connect`, and raises `error` if it is set."""

    def __init__(self) -> None:
        self.connections: list[FakeConnection] = []
        self.connection_type: type[FakeConnection] = FakeConnection
        self.error: Exception | None = None
        self.may_connect = asyncio.Event()
        self.may_connect.set()

    async def connect(self) -> FakeConnection:
        await self.may_connect.wait()
        if self.error is not None:
            raise self.error
        self.connections.append(self.connection_type())
        return self.connections[-1]


async def queued(pool: Pool[FakeConnection], waiting: int = 1) -> asyncio.Task[FakeConnection]:
    """Return a task that waits for a connection, as the last of `waiting` tasks."""
    task = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    assert (task.done(), pool.state.waiting) == (False, waiting)
    return task


async def both(pool: Pool[FakeConnection]) -> tuple[FakeConnection, FakeConnection]:
    """Acquire both connections of a pool of two."""
    return await pool.acquire(), await pool.acquire()
