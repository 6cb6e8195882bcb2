"""A small load balancer that polls /readyz and keeps connections alive, as real ones do."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

CHECK_INTERVAL_S: Final = 0.1
MAX_FAILURES: Final = 2

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Refused(Exception):
    """The server was not reached, or closed an idle connection before it responded: another server may be tried."""


@dataclass
class Backend:
    """One of the servers, and the idle connections to it."""

    port: int
    failures: int = MAX_FAILURES
    idle: list[_Connection] = field(default_factory=list)

    @property
    def is_up(self) -> bool:
        return self.failures < MAX_FAILURES

    async def watch(self) -> None:
        """Poll its readiness until cancelled."""
        while True:
            status = b""
            with suppress(OSError, Refused, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(2):
                    status = (await self.send(b"GET /readyz HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")).split()[
                        1
                    ]
            self.failures = 0 if status == b"200" else self.failures + 1
            await asyncio.sleep(CHECK_INTERVAL_S)

    async def send(self, request: bytes) -> bytes:
        """Return the response. Raises Refused, or OSError or IncompleteReadError when the connection was cut."""
        while self.idle and self.idle[-1][0].at_eof():  # the server may close an idle connection at any time
            self.idle.pop()[1].close()
        is_reused = bool(self.idle)
        try:
            reader, writer = self.idle.pop() if is_reused else await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            raise Refused from None
        try:
            writer.write(request)
            response = await message(reader)
        except BaseException as error:  # cancellation included
            writer.close()
            is_cut = isinstance(error, OSError | asyncio.IncompleteReadError)
            if is_cut and is_reused and not getattr(error, "partial", b""):
                raise Refused from None
            raise
        if b"connection: close" in response.partition(b"\r\n\r\n")[0].lower():
            writer.close()
        else:
            self.idle.append((reader, writer))
        return response


class Balancer:
    """Sends each request to the next server that is up. `attempts` counts the failed attempts."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.backends = [Backend(port) for port in ports]
        self.attempts: Counter[str] = Counter()
        self.serving: set[asyncio.Task[None]] = set()
        self._next = 0

    async def serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Serve the requests of one client in order."""
        serving = asyncio.current_task()
        assert serving is not None
        self.serving.add(serving)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    to_client.write(await self._respond(await message(client)))
                    await to_client.drain()
        finally:
            to_client.close()
            self.serving.discard(serving)

    async def _respond(self, request: bytes) -> bytes:
        for _ in range(len(self.backends) + 8):
            up = [backend for backend in self.backends if backend.is_up] or self.backends
            self._next += 1
            try:
                return await up[self._next % len(up)].send(request)
            except Refused:
                self.attempts["refused, another was tried"] += 1
            except (OSError, asyncio.IncompleteReadError):
                self.attempts["cut"] += 1
                break
        return b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


async def message(reader: asyncio.StreamReader) -> bytes:
    """Return a request or a response, whose length is in its head."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(lengths[0]) if lengths else 0)


@asynccontextmanager
async def balanced(ports: Sequence[int]) -> AsyncIterator[tuple[Balancer, str]]:
    """Yield a balancer for these ports, and its address."""
    balancer = Balancer(ports)
    watching = [asyncio.create_task(backend.watch()) for backend in balancer.backends]
    try:
        async with await asyncio.start_server(balancer.serve, "127.0.0.1", 0) as listening:
            async with asyncio.timeout(10):
                while not all(backend.is_up for backend in balancer.backends):
                    await asyncio.sleep(0.01)
            yield balancer, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        # Requests in progress may still return a connection: they are cancelled before the idle ones are closed.
        for task in (ended := [*watching, *balancer.serving]):
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)
        for _, writer in [each for backend in balancer.backends for each in backend.idle]:
            writer.close()
