"""A small load balancer, which asks /readyz and keeps connections alive as real ones do."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

CHECK_EVERY_S: Final = 0.1
FAILURES_TO_FALL: Final = 2

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Refused(Exception):
    """The server was not reached, or closed a kept connection before it said a word: another may be asked."""


@dataclass
class Backend:
    """One of the servers, and the connections to it that are idle."""

    port: int
    failures: int = FAILURES_TO_FALL
    idle: list[_Connection] = field(default_factory=list)

    @property
    def is_up(self) -> bool:
        return self.failures < FAILURES_TO_FALL

    async def watch(self) -> None:
        """Ask whether it is ready, until cancelled."""
        while True:
            status = b""
            with suppress(OSError, Refused, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(2):
                    status = (await self.ask(b"GET /readyz HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")).split()[
                        1
                    ]
            self.failures = 0 if status == b"200" else self.failures + 1
            await asyncio.sleep(CHECK_EVERY_S)

    async def ask(self, request: bytes) -> bytes:
        """Return the answer. Raises Refused, or OSError or IncompleteReadError when it was cut off."""
        while self.idle and self.idle[-1][0].at_eof():  # closed meanwhile, as a server may at any time
            self.idle.pop()[1].close()
        is_kept = bool(self.idle)
        try:
            reader, writer = self.idle.pop() if is_kept else await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            raise Refused from None
        try:
            writer.write(request)
            answer = await message(reader)
        except BaseException as error:  # given up by whoever asks, too
            writer.close()
            is_cut_off = isinstance(error, OSError | asyncio.IncompleteReadError)
            if is_cut_off and is_kept and not getattr(error, "partial", b""):
                raise Refused from None
            raise
        if b"connection: close" in answer.partition(b"\r\n\r\n")[0].lower():
            writer.close()
        else:
            self.idle.append((reader, writer))
        return answer


class Balancer:
    """Hands each request to the next server that is up; `tries` counts what it took."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.backends = [Backend(port) for port in ports]
        self.tries: Counter[str] = Counter()
        self.serving: set[asyncio.Task[None]] = set()
        self._next = 0

    async def serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Take one client's requests, one after the other."""
        serving = asyncio.current_task()
        assert serving is not None
        self.serving.add(serving)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    to_client.write(await self._answer(await message(client)))
                    await to_client.drain()
        finally:
            to_client.close()
            self.serving.discard(serving)

    async def _answer(self, request: bytes) -> bytes:
        for _ in range(len(self.backends) + 8):
            up = [backend for backend in self.backends if backend.is_up] or self.backends
            self._next += 1
            try:
                return await up[self._next % len(up)].ask(request)
            except Refused:
                self.tries["refused, another was asked"] += 1
            except (OSError, asyncio.IncompleteReadError):
                self.tries["cut off"] += 1
                break
        return b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


async def message(reader: asyncio.StreamReader) -> bytes:
    """Return a request or an answer, whose length its head says."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(lengths[0]) if lengths else 0)


@asynccontextmanager
async def balanced(ports: Sequence[int]) -> AsyncIterator[tuple[Balancer, str]]:
    """Lend a balancer for these ports, and its address."""
    balancer = Balancer(ports)
    watching = [asyncio.create_task(backend.watch()) for backend in balancer.backends]
    try:
        async with await asyncio.start_server(balancer.serve, "127.0.0.1", 0) as listening:
            async with asyncio.timeout(10):
                while not all(backend.is_up for backend in balancer.backends):
                    await asyncio.sleep(0.01)
            yield balancer, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        # Whatever is under way may still keep a connection: it is ended before these are closed.
        for task in (ended := [*watching, *balancer.serving]):
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)
        for _, writer in [each for backend in balancer.backends for each in backend.idle]:
            writer.close()
