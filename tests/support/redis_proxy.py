"""Proxies between one client and every node of a Redis cluster, so that the connections of that client alone can fail.

A cluster client connects to the addresses that the nodes report. The proxies therefore replace the ports in the replies
of the nodes (of CLUSTER SLOTS, MOVED and ASK) by their own, and no connection of the client bypasses them.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

from support.tcp_proxy import Stream, TcpProxy

_CHUNK_BYTES: Final = 65_536
# The end of an address, or an integer reply. All ports have five digits, so that no length in the reply changes.
_PORT: Final = re.compile(rb":(\d{5})(?=\r\n)")
_UNFINISHED_PORT: Final = re.compile(rb":\d{0,5}\r?\Z")
_LONGEST_UNFINISHED: Final = len(":12345\r")


class NodeProxy(TcpProxy):
    """A proxy in front of one node. It can also forward the commands without the replies, or refuse connections."""

    def __init__(self, port: int, ports: Mapping[bytes, bytes]) -> None:
        super().__init__("127.0.0.1", port)
        self._ports = ports
        self._replying = asyncio.Event()
        self._replying.set()
        self._is_refusing = False

    def pause_replies(self) -> None:
        """Forward commands, but no replies."""
        self._replying.clear()

    def refuse(self) -> None:
        """Close every connection, and each new one at once."""
        self._is_refusing = True
        for connection in self._connections:
            connection.cancel()

    def resume(self) -> None:
        """Forward what was received meanwhile and what follows, and accept connections."""
        super().resume()
        self._replying.set()
        self._is_refusing = False

    def accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Serve a new connection."""
        if self._is_refusing:
            to_client.close()
        else:
            super().accept(client, to_client)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        with suppress(OSError):  # the node is gone
            await super()._serve(client, to_client)

    async def _forward(self, client: Stream, server: Stream) -> None:
        await asyncio.gather(self._copy(client[0], server[1]), self._copy_replies(server[0], client[1]))

    async def _copy_replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = b""
        with suppress(OSError):
            while received := await reader.read(_CHUNK_BYTES):
                received, held = _split(held + received)
                await self._forwarding.wait()
                await self._replying.wait()
                writer.write(_PORT.sub(lambda port: b":" + self._ports.get(port[1], port[1]), received))
                await writer.drain()
        await self._forwarding.wait()
        writer.close()


class RedisConnections:
    """The connections of one client to a cluster. `hosts` is the address of the cluster for this client."""

    def __init__(self, proxies: Sequence[NodeProxy], ports: Sequence[int]) -> None:
        self._proxies = proxies
        self.hosts: Final = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.port: Final = ports[0]

    def pause(self) -> None:
        """Forward nothing; commands that were sent arrive after `resume`."""
        for proxy in self._proxies:
            proxy.pause()

    def pause_replies(self) -> None:
        """Forward commands, but no replies."""
        for proxy in self._proxies:
            proxy.pause_replies()

    def refuse(self) -> None:
        """Close every connection, and each new one at once."""
        for proxy in self._proxies:
            proxy.refuse()

    def resume(self) -> None:
        """Forward again, also what was received meanwhile."""
        for proxy in self._proxies:
            proxy.resume()


@asynccontextmanager
async def redis_connections(ports: Sequence[int]) -> AsyncIterator[RedisConnections]:
    """Yield the connections of one client to a cluster whose nodes listen on these ports of the loopback address."""
    own_ports: dict[bytes, bytes] = {}
    async with AsyncExitStack() as stack:
        proxies, listening = [], []
        for port in ports:
            proxy = NodeProxy(port, own_ports)
            listener = await stack.enter_async_context(await asyncio.start_server(proxy.accept, "127.0.0.1", 0))
            stack.push_async_callback(proxy.close)
            proxies.append(proxy)
            listening.append(int(listener.sockets[0].getsockname()[1]))
            own_ports[b"%d" % port] = b"%d" % listening[-1]
        assert all(len(port) == len(own) for port, own in own_ports.items())
        yield RedisConnections(proxies, listening)


def _split(received: bytes) -> tuple[bytes, bytes]:
    """Split off what may be the beginning of a port."""
    unfinished = _UNFINISHED_PORT.search(received, max(0, len(received) - _LONGEST_UNFINISHED))
    end = len(received) if unfinished is None else unfinished.start()
    return received[:end], received[end:]
