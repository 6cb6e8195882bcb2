"""One connection to each Redis node, shared by all requests; the commands of one event-loop turn are sent in one write.

Redis replies in the order of the commands, so a reply needs no identifier and concurrent requests can share a
connection. A lookup costs 15 µs this way; redis-py's cluster client takes 130 µs to acquire a connection for it. That
client is used for rare operations only: to discover which node serves which slot, and to follow redirections.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ssl import SSLContext
from typing import Any, Final, cast
from weakref import WeakSet

from hiredis import HiredisError, Reader, ReplyError, pack_command

# A command fails at the earliest this long after its deadline, and at the latest twice as long after it.
TIMEOUT_CHECK_INTERVAL_S: Final = 0.005

Argument = str | int | bytes
Address = tuple[str, int]


class RedisErrorReply(Exception):
    """The server replied with an error; the message is the text of the reply."""


@dataclass(frozen=True)
class Login:
    """How a connection is authenticated and encrypted."""

    username: str | None = None
    password: str | None = None
    tls: SSLContext | None = None

    @property
    def command(self) -> tuple[str, ...]:
        """The AUTH command; empty without a password."""
        if self.password is None:
            return ()
        return ("AUTH", self.password) if self.username is None else ("AUTH", self.username, self.password)


class _PendingReply:
    """The reply of a command, or the replies of several, that was sent or will be, and the deadline for it.

    `replies` is None for one command; for several it collects the replies, `missing` of which are still to come.
    """

    __slots__ = ("deadline", "future", "missing", "replies")

    def __init__(self, future: asyncio.Future[Any], deadline: float, count: int) -> None:
        self.future = future
        self.deadline = deadline
        self.missing = count
        self.replies: list[Any] | None = None if count == 1 else []


class MultiplexedConnection(asyncio.Protocol):
    """One connection. After a timeout it accepts no more commands, and it closes when no reply is pending."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._reader = Reader()
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[bytes] = []
        self._pending: deque[_PendingReply] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._checked_at = 0.0
        self._lost = asyncio.Event()
        self.is_usable = False

    def execute(self, command: bytes, *, until: float, count: int = 1) -> asyncio.Future[Any]:
        """Send a packed command; return the future of its reply, which raises TimeoutError, OSError, RedisErrorReply.

        `command` may be several packed commands: with their `count`, the future has the list of their replies, in which
        an error reply is a RedisErrorReply. `until` is the deadline, by the clock of the event loop.
        """
        future = self._loop.create_future()
        if self._lost.is_set():  # lost between connecting and this first command
            future.set_exception(ConnectionError("the connection was lost immediately"))
            return future
        self._pending.append(_PendingReply(future, until, count))
        if not self._outgoing:
            self._loop.call_soon(self._send)
        self._outgoing.append(command)
        if self._timer is None:
            self._schedule_check()
        return future

    def terminate(self) -> None:
        """Abort the connection; pending commands fail."""
        self.is_usable = False
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Abort the connection, and return when it is closed."""
        self.terminate()
        if self._transport is not None:
            await self._lost.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept commands from now on."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's class does not derive from it
        self.is_usable = True

    def data_received(self, data: bytes) -> None:
        """Assign each reply to the oldest pending command."""
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                pending = self._pending[0]
                if isinstance(reply, ReplyError):
                    reply = RedisErrorReply(str(reply))
                if pending.replies is not None:
                    pending.replies.append(reply)
                    pending.missing -= 1
                    if pending.missing:
                        continue
                    reply = pending.replies
                self._pending.popleft()
                if pending.future.done():  # cancelled, or timed out
                    continue
                if isinstance(reply, RedisErrorReply):
                    pending.future.set_exception(reply)
                else:
                    pending.future.set_result(reply)
        except (HiredisError, IndexError) as error:  # another protocol, or a reply without a command
            self._fail(OSError(f"not a reply of a Redis server: {error}"))
            self.terminate()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let every pending command fail."""
        self.is_usable = False
        self._fail(ConnectionError(f"the connection was lost: {exc or 'the server closed it'}"))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._lost.set()

    def _send(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()

    def _schedule_check(self) -> None:
        self._checked_at = self._loop.time()
        self._timer = self._loop.call_later(TIMEOUT_CHECK_INTERVAL_S, self._check_timeouts)

    def _check_timeouts(self) -> None:
        """Let the commands fail whose deadline had passed at the previous check.

        Between the two checks the event loop has read what had arrived. So a command does not fail only because this
        process was too busy to read its reply.
        """
        for pending in self._pending:
            if pending.deadline <= self._checked_at:
                self.is_usable = False
                if not pending.future.done():
                    pending.future.set_exception(TimeoutError("no reply in time"))
        self._timer = None
        if any(not pending.future.done() for pending in self._pending):
            self._schedule_check()
        elif not self.is_usable:
            self.terminate()

    def _fail(self, error: OSError) -> None:
        while self._pending:
            future = self._pending.popleft().future
            if not future.done():
                future.set_exception(error)


class MultiplexedConnections:
    """The connections to all nodes. Each is opened at its first use, and again after it was lost."""

    def __init__(self, login: Login, *, connect_timeout_s: float) -> None:
        self._login = login
        self._connect_timeout_s = connect_timeout_s
        self._connections: dict[Address, MultiplexedConnection] = {}
        self._connecting: dict[Address, asyncio.Task[MultiplexedConnection]] = {}
        self._opened: WeakSet[MultiplexedConnection] = WeakSet()  # includes those that were replaced

    async def execute(self, address: Address, arguments: tuple[Argument, ...], *, until: float) -> Any:  # noqa: ANN401 - as Redis replies
        """Return the reply of the node at an address; `until` is the deadline, by the clock of the event loop.

        Raises RedisErrorReply, OSError, TimeoutError.
        """
        return await self.execute_packed(address, packed(arguments), count=1, until=until)

    async def execute_all(
        self, address: Address, commands: Sequence[tuple[Argument, ...]], *, until: float
    ) -> list[Any]:
        """Send several commands in one piece, and return their replies; an error reply is a RedisErrorReply.

        The node carries them out in their order, with commands of other connections in between. Raises OSError,
        TimeoutError.
        """
        count = len(commands)
        replies = await self.execute_packed(address, b"".join(map(packed, commands)), count=count, until=until)
        return replies if count > 1 else [replies]

    async def execute_packed(self, address: Address, commands: bytes, *, count: int, until: float) -> Any:  # noqa: ANN401 - as Redis replies
        """Send packed commands in one piece; return the reply of one command, or the list of those of several.

        Raises OSError, TimeoutError; for one command RedisErrorReply, of which several have one in their list.
        """
        connection = self._connections.get(address)
        if connection is None or not connection.is_usable:
            async with asyncio.timeout_at(until):
                connection = await self._connected(address)
        return await connection.execute(commands, until=until, count=count)

    async def close(self) -> None:
        """Close every connection."""
        for connecting in self._connecting.values():
            connecting.cancel()
        await asyncio.gather(*self._connecting.values(), return_exceptions=True)
        await asyncio.gather(*(connection.close() for connection in list(self._opened)))

    async def _connected(self, address: Address) -> MultiplexedConnection:
        """Wait for the one attempt that all callers share; it continues when one of them times out."""
        connecting = self._connecting.get(address)
        if connecting is None:
            connecting = self._connecting[address] = asyncio.create_task(self._connect(address))
            connecting.add_done_callback(lambda ended: self._store(address, ended))
        return await asyncio.shield(connecting)

    def _store(self, address: Address, ended: asyncio.Task[MultiplexedConnection]) -> None:
        del self._connecting[address]
        if not ended.cancelled() and ended.exception() is None:
            self._connections[address] = ended.result()

    async def _connect(self, address: Address) -> MultiplexedConnection:
        loop = asyncio.get_running_loop()
        host, port = address
        async with asyncio.timeout(self._connect_timeout_s):
            _, connection = await loop.create_connection(
                lambda: MultiplexedConnection(loop), host, port, ssl=self._login.tls
            )
            self._opened.add(connection)
            if self._login.command:
                try:
                    await connection.execute(packed(self._login.command), until=loop.time() + self._connect_timeout_s)
                except BaseException:
                    connection.terminate()
                    raise
        return connection


def packed(arguments: tuple[Argument, ...]) -> bytes:
    """Return a command as it is sent."""
    command: bytes = pack_command(cast("Any", arguments))  # takes any number of arguments, unlike its annotation
    return command


@lru_cache(maxsize=256)
def packed_once(arguments: tuple[Argument, ...]) -> bytes:
    """Return a command of which there are few, such as one for each fence, as it is sent."""
    return packed(arguments)
