"""Clients that cost little: requests at a fixed rate over kept connections, and one stream of events."""

import asyncio
import json
import re
import time
from collections.abc import Sequence
from typing import Any, Final, cast

from bench.load import LoadFailed
from bench.server import Server

CONNECTIONS: Final = 16
_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_LOCATION: Final = re.compile(rb"\r\nlocation: \S*/tickets/(\d+)", re.IGNORECASE)
_CREATED_EVENT: Final = re.compile(rb'"id":"(\d+)\.1"')
_TICKET: Final = {"subject": "The printer is on fire", "text": "It started after lunch. " * 8, "email": "a@example.com"}


def request(server: Server, method: str, path: str, body: object = None, *, accept: str = "application/json") -> bytes:
    """Return the bytes of a request, with the key of the server's clients."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Accept: {accept}"]
    lines += [] if server.key is None else [f"Authorization: Bearer {server.key}"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"] if content else []
    return "\r\n".join([*lines, "", ""]).encode() + content


class Connection:
    """A kept connection, for one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, server: Server) -> "Connection":
        """Return a connection to a server."""
        return cls(*await asyncio.open_connection("127.0.0.1", server.port))

    async def send(self, content: bytes, expected: int) -> tuple[bytes, bytes]:
        """Send a request; return the head and the body of its response. Raises LoadFailed for another status."""
        self._writer.write(content)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await self._reader.readexactly(int(length[1])) if length else b""
        if not head.startswith(b"HTTP/1.1 %d" % expected):
            raise LoadFailed(f"{content.split(b' HTTP', 1)[0]!r}: {head!r} {body[:500]!r}")
        return head, body

    def close(self) -> None:
        """Close it."""
        self._writer.close()


async def call(server: Server, method: str, path: str, body: object = None, *, expected: int = 200) -> Any:  # noqa: ANN401 - any JSON
    """Send one request and return the JSON of its response. Raises LoadFailed."""
    connection = await Connection.open(server)
    try:
        _, content = await connection.send(request(server, method, path, body), expected)
    finally:
        connection.close()
    return json.loads(content)


async def create_tickets(server: Server, *, per_second: float, seconds: float) -> dict[int, float]:
    """Create tickets at a fixed rate; return the time of each response by the id of the ticket. Raises LoadFailed.

    A request that finds all connections in use is late, and those after it are not: the rate is kept if it can be.
    """
    content = request(server, "POST", "/tickets", _TICKET)
    answered_at: dict[int, float] = {}
    free: asyncio.Queue[Connection] = asyncio.Queue()
    connections = [await Connection.open(server) for _ in range(CONNECTIONS)]
    for connection in connections:
        free.put_nowait(connection)

    async def create(connection: Connection) -> None:
        head, _ = await connection.send(content, 201)
        now = time.monotonic()
        location = _LOCATION.search(head)
        if location is None:
            raise LoadFailed(f"a created ticket has no address: {head!r}")
        answered_at[int(location[1])] = now
        free.put_nowait(connection)

    try:
        async with asyncio.TaskGroup() as group:
            began_at = time.monotonic()
            for number in range(round(per_second * seconds)):
                await asyncio.sleep(max(0, began_at + number / per_second - time.monotonic()))
                group.create_task(create(await free.get()))
    finally:
        for connection in connections:
            connection.close()
    return answered_at


def rate_of(times: Sequence[float]) -> float:
    """Return how many of these events there were per second."""
    return (len(times) - 1) / (max(times) - min(times))


class Stream(asyncio.Protocol):
    """A stream of all events; `arrived_at` has the time of the first event of each ticket by its id."""

    def __init__(self, server: Server) -> None:
        self._request = request(server, "GET", "/events?after=now", accept="text/event-stream")
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self.arrived_at: dict[int, float] = {}
        self.has_begun = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note which events have arrived as a whole."""
        now = time.monotonic()
        # A chunk of the transfer contains whole frames, so its boundaries are between them.
        whole, end, self._rest = (self._rest + data).rpartition(b"\n\n")
        if end:
            self.has_begun.set()
        for match in _CREATED_EVENT.finditer(whole):
            self.arrived_at.setdefault(int(match[1]), now)

    def close(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.abort()


async def open_stream(server: Server) -> Stream:
    """Return a stream that has begun. Raises TimeoutError."""
    _, stream = await asyncio.get_running_loop().create_connection(lambda: Stream(server), "127.0.0.1", server.port)
    async with asyncio.timeout(10):
        await stream.has_begun.wait()
    return stream
