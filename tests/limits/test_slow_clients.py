"""Clients that keep the service waiting, over real sockets; TIMEOUT_S stands for the ten seconds of every day."""

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
# What a busy machine may add.
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
    """Send part by part until the other side closes; return what it said by then, and how long it took to close."""
    reader, writer = stream

    async def trickle() -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(every_s)

    started, said = time.monotonic(), b""
    trickling = asyncio.create_task(trickle())
    try:
        async with asyncio.timeout(TIMEOUT_S + 2 * LEEWAY_S):
            while part := await reader.read(65_536):
                said += part
    except ConnectionError:
        pass
    finally:
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)
    return said, time.monotonic() - started


def bytewise(sent: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in sent]


HEADS = {
    "byte by byte": bytewise(GET[:-2] + b"X-Filler: " + b"x" * 10_000),
    "a head that is never finished": [GET[:20]],
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
    """Let each of some senders trickle on a connection of its own; return what was said, and after what time."""

    async def one(parts: list[bytes]) -> tuple[bytes, float]:
        async with connected(port) as stream:
            return await trickled(stream, parts)

    return dict(zip(senders, await asyncio.gather(*map(one, senders.values())), strict=True))


async def test_a_head_that_does_not_come_closes_the_connection(port: int) -> None:
    for how, (said, took_s) in (await all_trickled(port, HEADS)).items():
        assert said == b"", how
        assert TIMEOUT_S / 2 < took_s < TIMEOUT_S + LEEWAY_S, how


@pytest.mark.parametrize("slow", [bytewise(GET + GET), [b"\r\n"] * 10_000], ids=["a slow head", "empty lines"])
async def test_a_connection_that_was_used_well_has_no_longer_patience(port: int, slow: list[bytes]) -> None:
    async with connected(port) as stream:
        said, took_s = await trickled(stream, [GET, *slow])
    assert said.count(b"HTTP/1.1 200 OK") == 1
    assert took_s < TIMEOUT_S + LEEWAY_S


async def test_a_body_that_comes_too_slowly_is_refused(port: int) -> None:
    for how, (said, took_s) in (await all_trickled(port, BODIES)).items():
        head, _, body = said.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 "), how
        assert b"\r\ncontent-type: application/problem+json" in head
        assert b"\r\nconnection: close" in head.lower()
        assert json.loads(body)["type"] == "/problems/request-timeout"
        assert took_s < TIMEOUT_S + LEEWAY_S, how


async def test_a_body_that_nobody_reads_holds_no_connection(port: int) -> None:
    """Refused by its head alone; what follows is not answered any more."""
    async with connected(port) as stream:
        said, took_s = await trickled(stream, [WITH_LENGTH[:-2] + b"Accept: text/csv\r\n\r\n", *bytewise(BODY)])
    assert said.startswith(b"HTTP/1.1 406 ")
    assert said.count(b"HTTP/1.1") == 1
    assert took_s < TIMEOUT_S + LEEWAY_S


async def test_a_body_that_comes_in_time_is_read_however_it_is_cut(port: int) -> None:
    async with connected(port) as stream:
        parts = [WITH_LENGTH[:-2] + b"Connection: close\r\n\r\n", *bytewise(BODY)]
        said, _ = await trickled(stream, parts, every_s=0.0005)
    assert said.startswith(b"HTTP/1.1 201 ")


async def test_a_head_without_an_end_is_refused_before_it_is_large(port: int) -> None:
    async with connected(port) as stream:
        said, _ = await trickled(stream, [GET[:-2], *[b"X-Header: %s\r\n" % (b"x" * 2000)] * 1000], every_s=0.001)
    assert said.startswith(b"HTTP/1.1 431 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["type"] == "/problems/headers-too-large"


async def test_what_is_no_http_is_refused_as_everything_is(port: int) -> None:
    async with connected(port) as stream:
        said, _ = await trickled(stream, [b"GET / HTTP/1.1\r\nno colon\r\n\r\n"])
    head, _, body = said.partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert (problem["type"], problem["status"]) == ("/problems/malformed-request", 400)
    assert b"x-request-id: " + problem["request_id"].encode() in head
    assert b"x-content-type-options: nosniff" in head


async def test_the_server_does_not_name_itself(port: int) -> None:
    async with connected(port) as stream:
        said, _ = await trickled(stream, [GET[:-2] + b"Connection: close\r\n\r\n"])
    assert b"\r\ndate: " in said
    assert b"\r\nserver: " not in said.lower()


def connected_narrowly(port: int) -> socket.socket:
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.settimeout(30)
    narrow.connect(("127.0.0.1", port))
    return narrow


def read_to_its_end(connection: socket.socket, *, pause_s: float = 0) -> int:
    read = 0
    try:
        while part := connection.recv(65_536):
            read += len(part)
            time.sleep(pause_s)
    except ConnectionError:
        pass
    return read


async def test_an_answer_that_nobody_reads_is_given_up(port: int) -> None:
    """Far more than the network holds; what comes after the pause is what it held."""
    with connected_narrowly(port) as connection:
        connection.sendall(LARGE * 30)
        await asyncio.sleep(3 * TIMEOUT_S)
        async with asyncio.timeout(10):
            read = await asyncio.to_thread(read_to_its_end, connection)
    whole = await asyncio.to_thread(read_one, port)
    assert read < 15 * whole


async def test_an_answer_that_is_read_slowly_is_read_to_its_end(port: int) -> None:
    whole = await asyncio.to_thread(read_one, port)
    started = time.monotonic()
    assert await asyncio.to_thread(read_one, port, pause_s=0.003) == whole
    assert time.monotonic() - started > 2 * TIMEOUT_S


def read_one(port: int, *, pause_s: float = 0) -> int:
    with connected_narrowly(port) as connection:
        connection.sendall(LARGE[:-2] + b"Connection: close\r\n\r\n")
        return read_to_its_end(connection, pause_s=pause_s)
