"""Connections that go nowhere: they only say what is done to them."""

import asyncio
import time

from db.postgres.pool import Pool


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


async def queued(pool: Pool[Line], waiting: int = 1) -> asyncio.Task[Line]:
    """Return somebody who waits for a connection, as the last of so many."""
    task = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    assert (task.done(), pool.state.waiting) == (False, waiting)
    return task


async def lent(pool: Pool[Line]) -> tuple[Line, Line]:
    """Return both connections of a pool."""
    return await pool.acquire(), await pool.acquire()
