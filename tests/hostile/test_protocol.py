"""Malformed HTTP: contradictory framing, request heads without an end, invalid methods."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from hostile.conftest import MARK, assert_harmless
from hostile.test_bodies import MIB, bounded_memory
from hostile.wire import converse, exchange
from support.service_process import ServiceProcess

GET = b"GET /tickets HTTP/1.1\r\nHost: tickets\r\nConnection: close\r\n"
POST = b"POST /tickets HTTP/1.1\r\nHost: tickets\r\nConnection: close\r\nContent-Type: application/json\r\n"
LAST = b"0\r\n\r\n"

# After this silence on a connection that stays open, no further response is expected.
QUIET_S = 2

# A server may respond to these in any way, once, or close the connection.
ODD = {
    "a request without a version": b"GET /tickets\r\n\r\n",
    "HTTP/3.7": b"GET /tickets HTTP/3.7\r\nHost: tickets\r\n\r\n",
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": bytes.fromhex("16030100a5010000a10303") + bytes(160) + b"\r\n\r\n",
    "NUL in the request line": b"GET /tickets\0%s HTTP/1.1\r\nHost: tickets\r\n\r\n" % MARK,
    "a space in the target": b"GET /tickets %s HTTP/1.1\r\nHost: tickets\r\n\r\n" % MARK,
    "an invalid method": b"%s /tickets HTTP/1.1\r\nHost: tickets\r\nConnection: close\r\n\r\n" % MARK,
    "a method in lower case": b"get /tickets HTTP/1.1\r\nHost: tickets\r\nConnection: close\r\n\r\n",
    "a method with a NUL": b"G\0T /tickets HTTP/1.1\r\nHost: tickets\r\n\r\n",
    "CONNECT": b"CONNECT %s:443 HTTP/1.1\r\nHost: tickets\r\nConnection: close\r\n\r\n" % MARK,
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: tickets\r\nConnection: close\r\n\r\n",
    "an invalid host": b"GET /tickets HTTP/1.1\r\nHost: [%s/?#@\r\nConnection: close\r\n\r\n" % MARK,
    "a space before the colon": GET + b"X-Request-Id : %s!\r\n\r\n" % MARK,
    "a header without a colon": GET + b"%s\r\n\r\n" % MARK,
    "a header without a name": GET + b": %s\r\n\r\n" % MARK,
    "lines that end in LF": b"GET /tickets HTTP/1.1\nHost: tickets\nConnection: close\n\n",
    "an upgrade": GET.replace(b"close", b"Upgrade")
    + b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % MARK,
    "a negative length": POST + b"Content-Length: -1\r\n\r\n{}",
    "a length that is not a number": POST + b"Content-Length: %s\r\n\r\n{}" % MARK,
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "two lengths in one": POST + b"Content-Length: 2, 3\r\n\r\n{} ",
    "a length of 5,000 digits": POST + b"Content-Length: %s\r\n\r\n{}" % (b"9" * 5000),
    "a length of 64 bits": POST + b"Content-Length: 18446744073709551615\r\n\r\n{}",
    "a length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n" + LAST,
    "a trailer": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Request-Id: %s!\r\n\r\n" % MARK,
}
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
# These are refused with a response, before the connection is closed.
REFUSED = {
    "two hosts": (GET + b"Host: %s\r\n\r\n" % MARK, 400),
    "two equal hosts": (GET + b"Host: tickets\r\n\r\n", 400),
    "two hosts in HTTP/1.0": (b"GET /tickets HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "no host": (b"GET /tickets HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
    "a chunk size that is not a number": (CHUNKED + b"%s\r\n{}\r\n" % MARK + LAST, 400),
    "a negative chunk size": (CHUNKED + b"-2\r\n{}\r\n" + LAST, 400),
    "a chunk size of 70 bits": (CHUNKED + b"%s\r\n{}\r\n" % (b"f" * 18) + LAST, 400),
    "a chunk longer than its size": (CHUNKED + b"1\r\n{}\r\n" + LAST, 400),
    "a chunk shorter than its size": (CHUNKED + b"5\r\n{}\r\n" + LAST, 400),
    "a broken second chunk": (CHUNKED + b"2\r\n{}\r\nx\r\n" + LAST, 400),
    "chunks that a lookup does not use": (CHUNKED.replace(b"POST /tickets", b"GET /tickets/1") + b"x\r\n", 400),
    "a transfer coding after chunked": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n" + LAST, 400),
    "chunked twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n2\r\n{}\r\n" + LAST, 400),
    "an unknown transfer coding": (POST + b"Transfer-Encoding: %s\r\n\r\n" % MARK, 501),
    "a compressed body": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n" + LAST, 501),
    "a compressed body in two lines": (
        POST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n" + LAST,
        501,
    ),
}
# The application processes these like any other request.
PLAIN = {
    "HTTP/1.0": (b"GET /tickets HTTP/1.0\r\n\r\n", 200),
    "an absolute target": (GET.replace(b"/tickets", b"http://%s.example/tickets" % MARK) + b"\r\n", 200),
    "empty lines first": (b"\r\n\r\n" + GET + b"\r\n", 200),
    "an expectation": (POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", 422),
    "an unknown expectation": (POST + b"Expect: %s\r\nContent-Length: 2\r\n\r\n{}" % MARK, 422),
    "TRACE": (b"TRACE /tickets HTTP/1.1\r\nHost: tickets\r\nConnection: close\r\nX-A: %s\r\n\r\n" % MARK, 405),
    "chunks with extensions": (POST + b"Transfer-Encoding: chunked\r\n\r\n2;%s\r\n{}\r\n" % MARK + LAST, 422),
    "a thousand cookies": (GET + b"".join(b"Cookie: a%d=b\r\n" % number for number in range(1000)) + b"\r\n", 200),
}
ENDLESS = {
    "a URL": (b"GET /tickets?", b"x" * 65_536),
    "a header": (GET + b"X-Long: ", b"x" * 65_536),
    "a header's name": (GET, b"x" * 65_536),
    "headers": (GET, b"X-Many: %s\r\n" % (b"x" * 48) * 1024),
    "empty headers": (GET, b"a:\r\n" * 16_384),
    "a method": (b"", b"G" * 65_536),
    "a chunk's extension": (POST + b"Transfer-Encoding: chunked\r\n\r\n2;", b"x" * 65_536),
    "a trailer": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Long: ", b"x" * 65_536),
}

# A second request, hidden behind the first. Its path does not exist, so a 404 shows that it was taken for a request.
KEPT_OPEN = POST.replace(b"Connection: close\r\n", b"")
HIDDEN = b"POST /smuggled HTTP/1.1\r\nHost: tickets\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
# In front of LAST and HIDDEN: by one interpretation HIDDEN is part of the body, by the other a request.
CONTRADICTIONS = [
    b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(LAST + HIDDEN),
    b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n" % len(LAST + HIDDEN),
    b"Transfer-Encoding: xchunked\r\nContent-Length: %d\r\n" % len(LAST + HIDDEN),
    b"Transfer-Encoding: chunked, identity\r\nContent-Length: 5\r\n",
    b"Content-Length: %d\r\nContent-Length: 5\r\n" % len(LAST + HIDDEN),
]


@pytest.mark.parametrize("sent", ODD.values(), ids=ODD)
async def test_malformed_framing_is_harmless(service: ServiceProcess, sent: bytes) -> None:
    responses = await converse(service.port, sent, quiet_after=QUIET_S)
    assert len(responses) <= 1, responses
    for response in responses:  # none if the service closed the connection
        assert_harmless(response, sent)


@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("is_in_parts", [False, True], ids=["in one packet", "head and body apart"])
async def test_wrong_framing_gets_a_response(
    service: ServiceProcess, sent: bytes, status: int, *, is_in_parts: bool
) -> None:
    head, end, body = sent.partition(b"\r\n\r\n")

    async def rest() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.1)  # the application waits for the body by then
        yield body

    answers = (
        await converse(service.port, head + end, then=rest()) if is_in_parts else await converse(service.port, sent)
    )
    assert [answer.status for answer in answers] == [status]
    assert answers[0].headers["content-type"] == "application/problem+json"
    assert answers[0].headers["connection"] == "close"
    assert MARK not in answers[0].head + answers[0].body
    slug = "malformed-request" if status == 400 else "transfer-coding-not-supported"
    assert json.loads(answers[0].body)["type"] == f"/problems/{slug}"


async def test_wrong_framing_of_a_pipelined_request_follows_the_response_before_it(service: ServiceProcess) -> None:
    valid = GET.replace(b"Connection: close\r\n", b"") + b"\r\n"
    for broken, _ in REFUSED.values():
        answers = await converse(service.port, valid + broken)
        assert [answer.status for answer in answers][:1] == [200], broken
        assert [answer.status for answer in answers][1:] in ([400], [501]), broken


async def test_a_body_that_breaks_after_the_response_gets_no_second_one(service: ServiceProcess) -> None:
    async def rest() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.2)
        yield b"x\r\n"

    head = CHUNKED.replace(b"Connection: close\r\n", b"Accept: text/csv\r\n")
    answers = await converse(service.port, head, then=rest())
    assert [answer.status for answer in answers] == [406]


@pytest.mark.parametrize(("sent", "status"), PLAIN.values(), ids=PLAIN)
async def test_an_unusual_request_is_processed(service: ServiceProcess, sent: bytes, status: int) -> None:
    response = await exchange(service.port, sent)
    assert response is not None
    assert_harmless(response, sent)
    assert response.status == status
    assert MARK not in response.head + response.body


async def test_a_second_request_after_a_valid_one_gets_its_own_response(service: ServiceProcess) -> None:
    """The control of the smuggling tests: this is how a hidden request would show."""
    for framing in (b"Content-Length: %d\r\n\r\n" % len(LAST), b"Transfer-Encoding: chunked\r\n\r\n"):
        responses = await converse(service.port, KEPT_OPEN + framing + LAST + HIDDEN, quiet_after=QUIET_S)
        assert [response.status for response in responses] == [422, 404], framing


@pytest.mark.parametrize("framing", CONTRADICTIONS)
async def test_a_length_that_contradicts_the_chunks_smuggles_no_second_request(
    service: ServiceProcess, framing: bytes
) -> None:
    answers = await converse(service.port, KEPT_OPEN + framing + b"\r\n" + LAST + HIDDEN, quiet_after=QUIET_S)
    assert [answer.status for answer in answers] == [400], framing
    assert_harmless(answers[0], framing)


@pytest.mark.parametrize(("sent", "more"), ENDLESS.values(), ids=ENDLESS)
async def test_an_endless_request_head_is_not_kept_in_memory(service: ServiceProcess, sent: bytes, more: bytes) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100 * MIB // len(more)):
            yield more
            read += len(more)

    with bounded_memory(service):
        async with asyncio.timeout(5):
            responses = await converse(service.port, sent, then=endless())  # until the service closes the connection
    assert read < 32 * MIB, f"read {read // MIB} MiB before it closed the connection"
    # Closing a connection while the client still writes may discard the response.
    for response in responses:
        assert_harmless(response, sent)
