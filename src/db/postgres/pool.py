"""A connection pool that serves waiting callers in the order of their requests.

asyncpg has a pool too. With it a cache miss needs at least 14 % more processor time, and 23 % more with the waiting
order, the timeout and the counters of this one: see docs/decisions/connection-pool.md.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

CLOSE_TIMEOUT_S: Final = 2
# Older connections are replaced: a firewall may have dropped them silently.
RECYCLE_AFTER_S: Final = 600
# A database that stays read-only causes `expire_all` for every write; the connections are replaced no more often.
EXPIRE_INTERVAL_S: Final = 1


class PoolTimeout(Exception):
    """No connection became free within the acquire timeout."""


class PoolClosed(Exception):
    """The pool is closed."""


class PoolConnection(Protocol):
    """What the pool requires of a connection; `connected_at` is on the monotonic clock."""

    connected_at: float

    def is_closed(self) -> bool:
        """Return whether the connection is closed."""
        ...

    async def close(self) -> None:
        """Close the connection with a message to the server."""
        ...

    def terminate(self) -> None:
        """Close the connection immediately, without a message to the server."""
        ...


ConnectionT = TypeVar("ConnectionT", bound=PoolConnection)


@dataclass(frozen=True, slots=True)
class PoolState:
    """The maximum size of a pool, how many connections are in use, and how many callers wait for one."""

    size: int
    in_use: int
    waiting: int


class Pool(Generic[ConnectionT]):
    """Opens at most `size` connections, each when it is first needed, and reuses the one that was used last.

    A caller waits at most `acquire_timeout_s` until a connection becomes free. `connect` itself limits the time that
    connecting takes.
    """

    def __init__(self, connect: Callable[[], Awaitable[ConnectionT]], *, size: int, acquire_timeout_s: float) -> None:
        self._connect = connect
        self._size = size
        self._acquire_timeout_s = acquire_timeout_s
        self._connections: set[ConnectionT] = set()
        self._idle: list[ConnectionT] = []
        # A waiting caller receives a connection, or None: the permit to open one.
        self._queue: deque[asyncio.Future[ConnectionT | None]] = deque()
        self._permits_in_use = 0  # a permit for each connection that exists or is being opened
        self._waiting = 0
        self._expired_at = float("-inf")
        self._is_closed = False

    @property
    def state(self) -> PoolState:
        """The current state; a caller whose connection is being opened counts as waiting."""
        return PoolState(self._size, len(self._connections) - len(self._idle), self._waiting)

    @property
    def connections(self) -> frozenset[ConnectionT]:
        """Every open connection, in use or idle."""
        return frozenset(self._connections)

    async def acquire(self) -> ConnectionT:
        """Return a connection, which the caller passes to `release` after use.

        The connection is not tested by a round trip: a connection that the server closed is detected without one.

        Raises PoolTimeout, PoolClosed, and the errors of `connect`.
        """
        while self._idle:
            connection = self._idle.pop()
            if self._is_reusable(connection):
                return connection
            self._replace(connection)
        self._waiting += 1
        try:
            return await self._wait_or_connect()
        finally:
            self._waiting -= 1

    def release(self, connection: ConnectionT) -> None:
        """Take a connection back. The caller has terminated one that must not be reused."""
        if self._is_reusable(connection):
            self._hand_over(connection)
        else:
            self._replace(connection)

    def expire_all(self) -> None:
        """Let every current connection be replaced before it is acquired again."""
        now = time.monotonic()
        if now - self._expired_at > EXPIRE_INTERVAL_S:
            self._expired_at = now

    async def close(self) -> None:
        """Close the idle connections, terminate the others, and let waiting callers fail. Takes at most 2 seconds."""
        self._is_closed = True
        for waiter in self._queue:
            if not waiter.done():
                waiter.set_exception(PoolClosed("the pool is closed"))
        idle, self._idle = self._idle, []
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await asyncio.gather(*(connection.close() for connection in idle), return_exceptions=True)
        finally:
            for connection in self._connections:
                connection.terminate()
            self._connections.clear()

    async def _wait_or_connect(self) -> ConnectionT:
        if self._is_closed:
            raise PoolClosed("the pool is closed")
        if self._permits_in_use < self._size:
            self._permits_in_use += 1
        elif (connection := await self._wait()) is not None:
            if self._is_reusable(connection):
                return connection
            self._discard(connection)
        try:
            connection = await self._connect()
        except BaseException:
            self._hand_over(None)
            raise
        if self._is_closed:
            connection.terminate()
            raise PoolClosed("the pool was closed while connecting")
        # A new connection that is already closed is returned as well, and its use fails: replacing it might never end.
        self._connections.add(connection)
        return connection

    async def _wait(self) -> ConnectionT | None:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[ConnectionT | None] = loop.create_future()
        self._queue.append(waiter)
        timer = loop.call_later(self._acquire_timeout_s, _time_out, waiter, self._acquire_timeout_s)
        try:
            return await waiter
        except BaseException:
            if waiter in self._queue:
                self._queue.remove(waiter)
            elif not waiter.cancelled() and waiter.exception() is None:
                self._pass_on(waiter.result())  # received in the same moment in which this caller was cancelled
            raise
        finally:
            timer.cancel()

    def _pass_on(self, received: ConnectionT | None) -> None:
        if received is None:
            self._hand_over(None)
        else:
            self.release(received)

    def _hand_over(self, connection: ConnectionT | None) -> None:
        """Give a connection, or with None the permit to open one, to the caller that has waited longest."""
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if connection is None:
            self._permits_in_use -= 1
        else:
            self._idle.append(connection)

    def _replace(self, connection: ConnectionT) -> None:
        self._discard(connection)
        self._hand_over(None)

    def _discard(self, connection: ConnectionT) -> None:
        connection.terminate()
        self._connections.discard(connection)

    def _is_reusable(self, connection: ConnectionT) -> bool:
        not_before = max(self._expired_at, time.monotonic() - RECYCLE_AFTER_S)
        return not (self._is_closed or connection.is_closed()) and connection.connected_at >= not_before


def _time_out(waiter: asyncio.Future[ConnectionT | None], after_s: float) -> None:
    if not waiter.done():
        waiter.set_exception(PoolTimeout(f"no connection was free within {after_s:g} s"))
