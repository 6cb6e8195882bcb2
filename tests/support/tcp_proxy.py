"""A way to a server that can become a black hole: nothing is passed on any more, and nobody is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit


class Way:
    """Passes on what both sides say, while it is open."""

    def __init__(self, host: str | None, port: int | None) -> None:
        self._server = (host, port)
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._connections: set[asyncio.Task[None]] = set()

    def swallow(self) -> None:
        """Pass on nothing, not even that a connection ends; new connections are taken and lead nowhere."""
        self._is_open.clear()

    def open(self) -> None:
        """Pass on what came meanwhile, and what comes."""
        self._is_open.set()

    def begin(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Take a connection."""
        connection = asyncio.create_task(self._connect(client, to_client))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def close(self) -> None:
        """End every connection."""
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connect(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        writers = [to_client]
        try:
            await self._is_open.wait()
            server, to_server = await asyncio.open_connection(*self._server)
            writers.append(to_server)
            await asyncio.gather(self._pump(client, to_server), self._pump(server, to_client))
        finally:
            for writer in writers:
                writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while said := await reader.read(65_536):
                await self._is_open.wait()
                writer.write(said)
                await writer.drain()
        await self._is_open.wait()
        writer.close()


@asynccontextmanager
async def way_to(dsn: str) -> AsyncIterator[tuple[Way, str]]:
    """Lend a way to a server, and the address of the server by that way."""
    parts = urlsplit(dsn)
    way = Way(parts.hostname, parts.port)
    async with await asyncio.start_server(way.begin, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        user, at, _ = parts.netloc.rpartition("@")
        yield way, urlunsplit((parts.scheme, f"{user}{at}127.0.0.1:{port}", parts.path, parts.query, ""))
        await way.close()
