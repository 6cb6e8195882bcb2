"""Requests and responses as bytes, without a client library that would refuse, repair or hide anything."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Final

_TIMEOUT_S: Final = 30


@dataclass(frozen=True, slots=True)
class Response:
    """A response: the bytes before the body, the status, the headers by their names in lower case, the body."""

    head: bytes
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_ours(self) -> bool:
        """Whether the response is from the application, not from uvicorn."""
        return "x-request-id" in self.headers


@dataclass(slots=True)
class Request:
    """A request whose parts may contain any bytes."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes | None = None

    def encoded(self) -> bytes:
        """Return the bytes of the request, with Content-Length and `Connection: close`."""
        headers = [(b"Host", b"tickets"), (b"Connection", b"close"), *self.headers]
        if self.body is not None:
            headers += [(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(self.body))]
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        return b"%s %s HTTP/1.1\r\n%s\r\n%s" % (self.method, self.target, lines, self.body or b"")


async def exchange(port: int, sent: bytes | Request, *, then: AsyncIterable[bytes] | None = None) -> Response | None:
    """Send one request, then `then` as long as the service reads; return the final response, None if there is none."""
    responses = await converse(port, sent.encoded() if isinstance(sent, Request) else sent, then=then)
    assert len(responses) <= 1, (sent, responses)
    return responses[0] if responses else None


async def converse(
    port: int, sent: bytes, *, then: AsyncIterable[bytes] | None = None, quiet_after: float | None = None
) -> list[Response]:
    """Send bytes, then `then` as long as the service reads; return all final responses until it closes the connection.

    With `quiet_after`, return the responses so far when nothing was received for that many seconds. Raises TimeoutError
    if the connection stays open without `quiet_after`, or without any response: an empty list means a closed
    connection.
    """
    async with asyncio.timeout(_TIMEOUT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        writing = asyncio.create_task(_write(writer, sent, then))
        try:
            responses = [response async for response in _responses(reader, quiet_after)]
        finally:
            writing.cancel()
            (fault,) = await asyncio.gather(writing, return_exceptions=True)
            writer.close()
    if isinstance(fault, Exception):
        raise fault
    return responses


async def _write(writer: asyncio.StreamWriter, sent: bytes, then: AsyncIterable[bytes] | None) -> None:
    try:
        writer.write(sent)
        await writer.drain()
        if then is not None:
            async for more in then:
                writer.write(more)
                await writer.drain()
    except OSError:
        pass  # the service refused the request before its end


async def _responses(reader: asyncio.StreamReader, quiet_after: float | None) -> AsyncIterator[Response]:
    has_received = False
    while True:
        try:
            async with asyncio.timeout(quiet_after):
                response = await _response(reader)
        except TimeoutError:
            if has_received:
                return
            raise
        if response is None:
            return
        if response.status >= 200:
            has_received = True
            yield response


async def _response(reader: asyncio.StreamReader) -> Response | None:
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
    return Response(head, status, headers, body)


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip()


async def all_of(port: int, requests: Iterable[Request], *, at_once: int = 8) -> list[tuple[Request, Response | None]]:
    """Send many requests, a few at once; return each with its response."""
    limit = asyncio.Semaphore(at_once)

    async def one(request: Request) -> tuple[Request, Response | None]:
        async with limit:
            return request, await exchange(port, request)

    return list(await asyncio.gather(*map(one, requests)))
