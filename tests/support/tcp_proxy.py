"""A TCP proxy between the service and a server, which can stop forwarding without closing a connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

_CHUNK_BYTES = 65_536

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class TcpProxy:
    """Forwards what both sides send, unless it is paused."""

    def __init__(self, host: str | None, port: int | None) -> None:
        self._server = (host, port)
        self._forwarding = asyncio.Event()
        self._forwarding.set()
        self._connections: set[asyncio.Task[None]] = set()

    def pause(self) -> None:
        """Forward nothing, not even the end of a connection. New connections are accepted and get no response."""
        self._forwarding.clear()

    def resume(self) -> None:
        """Forward what was received meanwhile and what follows."""
        self._forwarding.set()

    def accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Serve a new connection."""
        connection = asyncio.create_task(self._serve(client, to_client))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        # Not in the task, which never runs if it is cancelled at once.
        connection.add_done_callback(lambda _: to_client.close())

    async def close(self) -> None:
        """Close every connection."""
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        await self._forwarding.wait()
        server = await asyncio.open_connection(*self._server)
        try:
            await self._forward((client, to_client), server)
        finally:
            server[1].close()

    async def _forward(self, client: Stream, server: Stream) -> None:
        """Forward in both directions until both sides have closed."""
        await asyncio.gather(self._copy(client[0], server[1]), self._copy(server[0], client[1]))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while received := await reader.read(_CHUNK_BYTES):
                await self._forwarding.wait()
                writer.write(received)
                await writer.drain()
        await self._forwarding.wait()
        writer.close()


@asynccontextmanager
async def listening(proxy: TcpProxy, dsn: str, *, query: str | None = None) -> AsyncIterator[str]:
    """Run a proxy on a free port; yield the DSN that leads through it, with another query if one is given."""
    parts = urlsplit(dsn)
    async with await asyncio.start_server(proxy.accept, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        user, at, _ = parts.netloc.rpartition("@")
        address = f"{user}{at}127.0.0.1:{port}"
        try:
            yield urlunsplit((parts.scheme, address, parts.path, parts.query if query is None else query, ""))
        finally:
            await proxy.close()


@asynccontextmanager
async def tcp_proxy(dsn: str) -> AsyncIterator[tuple[TcpProxy, str]]:
    """Yield a proxy in front of the server of a DSN, and the DSN that leads through it."""
    parts = urlsplit(dsn)
    proxy = TcpProxy(parts.hostname, parts.port)
    async with listening(proxy, dsn) as through_proxy:
        yield proxy, through_proxy
