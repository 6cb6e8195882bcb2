"""A receiver of webhooks on loopback whose responses a test chooses."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from support.factories import JSON


@dataclass(frozen=True)
class Delivery:
    """A request that has arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> JSON:
        event: JSON = json.loads(self.body)
        return event


@dataclass(frozen=True)
class Reply:
    """A response, sent after `delay_s`."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0


Behaviour = Callable[[Delivery], Awaitable[Reply] | Reply]


class Receiver:
    """Collects requests, also the number of those that it handles at once; `behaviour` returns their responses."""

    def __init__(self, port: int, scheme: str = "http") -> None:
        self.url = f"{scheme}://127.0.0.1:{port}/hook"
        self.deliveries: list[Delivery] = []
        self.behaviour: Behaviour = lambda _: Reply()
        self.at_once = 0
        self.most_at_once = 0
        self.connections = 0
        self._arrived = asyncio.Condition()

    @property
    def ids(self) -> list[str]:
        return [delivery.id for delivery in self.deliveries]

    async def wait_for(self, count: int, timeout_s: float = 10) -> list[Delivery]:
        """Wait until `count` requests have arrived, and return all."""
        async with asyncio.timeout(timeout_s), self._arrived:
            await self._arrived.wait_for(lambda: len(self.deliveries) >= count)
        return self.deliveries

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        delivery = Delivery(head[0].split(" ")[1], headers, body)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            async with self._arrived:
                self.deliveries.append(delivery)
                self._arrived.notify_all()
            reply = self.behaviour(delivery)
            if not isinstance(reply, Reply):
                reply = await reply
            await asyncio.sleep(reply.delay_s)
        finally:
            self.at_once -= 1
        lines = [f"HTTP/1.1 {reply.status} X", f"content-length: {len(reply.body)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + reply.body)
        await writer.drain()
        return True


@asynccontextmanager
async def running_receiver(ssl_context: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Yield a receiver that listens."""
    receiver: Receiver
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await receiver.serve(reader, writer)
        except asyncio.CancelledError:  # asyncio would log it
            pass
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ssl_context)
    receiver = Receiver(server.sockets[0].getsockname()[1], "http" if ssl_context is None else "https")
    try:
        yield receiver
    finally:
        server.close()
        for task in [*tasks]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
