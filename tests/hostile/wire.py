"""Bytes to the service and bytes back: what no client library would send, and nothing that one would hide."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Final

_PATIENCE_S: Final = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the bytes before the body, the status, the headers by their names in lower case, the body."""

    head: bytes
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_ours(self) -> bool:
        """Whether the application answered, and not the server in front of it."""
        return "x-request-id" in self.headers


@dataclass(slots=True)
class Request:
    """A request to put together: anything may be in any part of it."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes | None = None

    def encoded(self) -> bytes:
        """Return its bytes; its length is declared, and the connection is to end with it."""
        headers = [(b"Host", b"tickets"), (b"Connection", b"close"), *self.headers]
        if self.body is not None:
            headers += [(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(self.body))]
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        return b"%s %s HTTP/1.1\r\n%s\r\n%s" % (self.method, self.target, lines, self.body or b"")


async def exchange(port: int, sent: bytes | Request, *, then: AsyncIterable[bytes] | None = None) -> Answer | None:
    """Send one request, and more as long as it is taken; return its final answer, None if there is none."""
    answers = await converse(port, sent.encoded() if isinstance(sent, Request) else sent, then=then)
    assert len(answers) <= 1, (sent, answers)
    return answers[0] if answers else None


async def converse(
    port: int, sent: bytes, *, then: AsyncIterable[bytes] | None = None, quiet_after: float | None = None
) -> list[Answer]:
    """Send bytes, and more as long as they are taken; return every final answer until the service hangs up.

    With `quiet_after`, return what came so far once nothing has come for as many seconds. A connection that stays open
    is a TimeoutError without it, and with it if nothing came at all: no answer means that the service hung up.
    """
    async with asyncio.timeout(_PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        writing = asyncio.create_task(_write(writer, sent, then))
        try:
            answers = [answer async for answer in _answers(reader, quiet_after)]
        finally:
            writing.cancel()
            (fault,) = await asyncio.gather(writing, return_exceptions=True)
            writer.close()
    if isinstance(fault, Exception):
        raise fault
    return answers


async def _write(writer: asyncio.StreamWriter, sent: bytes, then: AsyncIterable[bytes] | None) -> None:
    try:
        writer.write(sent)
        await writer.drain()
        if then is not None:
            async for more in then:
                writer.write(more)
                await writer.drain()
    except OSError:
        pass  # it was refused before its end


async def _answers(reader: asyncio.StreamReader, quiet_after: float | None) -> AsyncIterator[Answer]:
    has_come = False
    while True:
        try:
            async with asyncio.timeout(quiet_after):
                answer = await _answer(reader)
        except TimeoutError:
            if has_come:
                return
            raise
        if answer is None:
            return
        if answer.status >= 200:
            has_come = True
            yield answer


async def _answer(reader: asyncio.StreamReader) -> Answer | None:
    head = b""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = dict(_header(line) for line in lines)
        status = int(status_line.split(" ")[1])
        if status < 200 or status in {204, 304}:
            body = b""
        elif "content-length" in headers:
            body = await reader.readexactly(int(headers["content-length"]))
        else:
            body = await reader.read()
    except ConnectionError:
        return None
    except asyncio.IncompleteReadError as end:
        if head or end.partial:
            raise
        return None
    return Answer(head, status, headers, body)


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip()


async def all_of(port: int, requests: Iterable[Request], *, at_once: int = 8) -> list[tuple[Request, Answer | None]]:
    """Send many requests, a few at once; return each with its answer."""
    turn = asyncio.Semaphore(at_once)

    async def one(request: Request) -> tuple[Request, Answer | None]:
        async with turn:
            return request, await exchange(port, request)

    return list(await asyncio.gather(*map(one, requests)))
