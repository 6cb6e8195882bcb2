"""A receiver of webhooks: one port, a path for each endpoint."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_REQUEST: Final = re.compile(rb"POST /(\d+) HTTP/1\.1\r\n(?s:.*)\r\nwebhook-id: evt_(\d+)_1\r\n", re.IGNORECASE)


class Receiver:
    """Accepts everything, except that it does not respond at the paths in `hanging`.

    `arrived_at` has the time at which the first event of a ticket arrived first, by the number of the path and the id
    of the ticket.
    """

    def __init__(self, hanging: frozenset[int] = frozenset()) -> None:
        self._hanging = hanging
        self._writers: set[asyncio.StreamWriter] = set()
        self.arrived_at: dict[tuple[int, int], float] = {}
        self.unanswered = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Yield the address, without a path."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for writer in self._writers:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await self._respond(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the sender has closed the connection
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        now = time.monotonic()
        length = _LENGTH.search(head)
        if length is not None:
            await reader.readexactly(int(length[1]))
        found = _REQUEST.match(head)
        if found is not None:
            number, ticket_id = int(found[1]), int(found[2])
            self.arrived_at.setdefault((number, ticket_id), now)
            if number in self._hanging:
                self.unanswered += 1
                return await reader.read(1) != b""
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        return True
