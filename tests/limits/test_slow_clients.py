"""Slow clients, over real sockets. TIMEOUT_S replaces the default of ten seconds."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

import pytest

from core.settings import Settings
from support.factories import FAULT, a_ticket
from support.service_process import ServiceProcess

TIMEOUT_S = 0.5
# The additional time that a busy machine may need.
LEEWAY_S = 4.0

BODY = json.dumps(a_ticket()).encode()
HEAD = b"POST /tickets HTTP/1.1\r\nHost: tickets\r\nContent-Type: application/json\r\n"
WITH_LENGTH = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY)
GET = b"GET /livez HTTP/1.1\r\nHost: tickets\r\n\r\n"
LARGE = b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: tickets\r\n\r\n"

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def port(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    log = tmp_path_factory.mktemp("slow") / "log"
    with ServiceProcess(log, settings, SLOW_CLIENT_TIMEOUT=str(TIMEOUT_S)) as service:
        yield service.port
    assert not FAULT.search(service.output)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def trickled(stream: Stream, parts: Iterable[bytes], *, every_s: float = 0.05) -> tuple[bytes, float]:
    """Send part by part until the service closes the connection; return its responses and the time in seconds."""
    reader, writer = stream

    async def trickle() -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(every_s)

    started, received = time.monotonic(), b""
    trickling = asyncio.create_task(trickle())
    try:
        async with asyncio.timeout(TIMEOUT_S + 2 * LEEWAY_S):
            while part := await reader.read(65_536):
                received += part
    except ConnectionError:
        pass
    finally:
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)
    return received, time.monotonic() - started


def bytewise(sent: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in sent]


HEADS = {
    "byte by byte": bytewise(GET[:-2] + b"X-Filler: " + b"x" * 10_000),
    "an incomplete head": [GET[:20]],
    "nothing at all": [],
    "empty lines before a head": [b"\r\n"] * 10_000,
    "header by header": [GET[:-2], *[b"X-Header: x\r\n"] * 10_000],
}
BODIES = {
    "byte by byte": [WITH_LENGTH, *bytewise(BODY)],
    "never": [WITH_LENGTH],
    "in chunks": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *(b"1\r\n%c\r\n" % byte for byte in BODY)],
}


async def all_trickled(port: int, senders: dict[str, list[bytes]]) -> dict[str, tuple[bytes, float]]:
    """Run each sender on a connection of its own; return the responses and the time in seconds of each."""

    async def one(parts: list[bytes]) -> tuple[bytes, float]:
        async with connected(port) as stream:
            return await trickled(stream, parts)

    return dict(zip(senders, await asyncio.gather(*map(one, senders.values())), strict=True))


async def test_an_incomplete_head_closes_the_connection(port: int) -> None:
    for how, (received, took_s) in (await all_trickled(port, HEADS)).items():
        assert received == b"", how
        assert TIMEOUT_S / 2 < took_s < TIMEOUT_S + LEEWAY_S, how


@pytest.mark.parametrize("slow", [bytewise(GET + GET), [b"\r\n"] * 10_000], ids=["a slow head", "empty lines"])
async def test_a_reused_connection_has_the_same_timeout(port: int, slow: list[bytes]) -> None:
    async with connected(port) as stream:
        received, took_s = await trickled(stream, [GET, *slow])
    assert received.count(b"HTTP/1.1 200 OK") == 1
    assert took_s < TIMEOUT_S + LEEWAY_S


async def test_a_slow_body_is_refused(port: int) -> None:
    for how, (received, took_s) in (await all_trickled(port, BODIES)).items():
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 "), how
        assert b"\r\ncontent-type: application/problem+json" in head
        assert b"\r\nconnection: close" in head.lower()
        assert json.loads(body)["type"] == "/problems/request-timeout"
        assert took_s < TIMEOUT_S + LEEWAY_S, how


async def test_a_body_that_the_service_does_not_read_keeps_no_connection_open(port: int) -> None:
    """The request is refused by its head alone, and the rest of the body gets no response."""
    async with connected(port) as stream:
        received, took_s = await trickled(stream, [WITH_LENGTH[:-2] + b"Accept: text/csv\r\n\r\n", *bytewise(BODY)])
    assert received.startswith(b"HTTP/1.1 406 ")
    assert received.count(b"HTTP/1.1") == 1
    assert took_s < TIMEOUT_S + LEEWAY_S


async def test_a_body_in_many_parts_is_read_within_the_timeout(port: int) -> None:
    async with connected(port) as stream:
        parts = [WITH_LENGTH[:-2] + b"Connection: close\r\n\r\n", *bytewise(BODY)]
        received, _ = await trickled(stream, parts, every_s=0.0005)
    assert received.startswith(b"HTTP/1.1 201 ")


async def test_an_endless_head_is_refused_at_its_limit(port: int) -> None:
    async with connected(port) as stream:
        received, _ = await trickled(stream, [GET[:-2], *[b"X-Header: %s\r\n" % (b"x" * 2000)] * 1000], every_s=0.001)
    assert received.startswith(b"HTTP/1.1 431 ")
    assert json.loads(received.partition(b"\r\n\r\n")[2])["type"] == "/problems/headers-too-large"


async def test_invalid_http_is_refused_with_problem_details(port: int) -> None:
    async with connected(port) as stream:
        received, _ = await trickled(stream, [b"GET / HTTP/1.1\r\nno colon\r\n\r\n"])
    head, _, body = received.partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert (problem["type"], problem["status"]) == ("/problems/malformed-request", 400)
    assert b"x-request-id: " + problem["request_id"].encode() in head
    assert b"x-content-type-options: nosniff" in head


async def test_responses_have_no_server_header(port: int) -> None:
    async with connected(port) as stream:
        received, _ = await trickled(stream, [GET[:-2] + b"Connection: close\r\n\r\n"])
    assert b"\r\ndate: " in received
    assert b"\r\nserver: " not in received.lower()


def connected_with_small_buffer(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", port))
    return connection


def read_to_end(connection: socket.socket, *, pause_s: float = 0) -> int:
    read = 0
    try:
        while part := connection.recv(65_536):
            read += len(part)
            time.sleep(pause_s)
    except ConnectionError:
        pass
    return read


async def test_a_response_that_the_client_does_not_read_is_aborted(port: int) -> None:
    """The responses exceed the buffers of the network by far. After the pause only the buffered part arrives."""
    with connected_with_small_buffer(port) as connection:
        connection.sendall(LARGE * 30)
        await asyncio.sleep(3 * TIMEOUT_S)
        async with asyncio.timeout(10):
            read = await asyncio.to_thread(read_to_end, connection)
    whole = await asyncio.to_thread(read_one, port)
    assert read < 15 * whole


async def test_a_response_that_the_client_reads_slowly_is_complete(port: int) -> None:
    whole = await asyncio.to_thread(read_one, port)
    started = time.monotonic()
    assert await asyncio.to_thread(read_one, port, pause_s=0.003) == whole
    assert time.monotonic() - started > 2 * TIMEOUT_S


def read_one(port: int, *, pause_s: float = 0) -> int:
    with connected_with_small_buffer(port) as connection:
        connection.sendall(LARGE[:-2] + b"Connection: close\r\n\r\n")
        return read_to_end(connection, pause_s=pause_s)
