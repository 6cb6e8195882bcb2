"""What is hardly HTTP: framing that contradicts itself, heads without end, methods that are none."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hostile.conftest import MARK, assert_harmless
from hostile.test_bodies import MIB, bounded_memory
from hostile.wire import converse, exchange
from support.service_process import ServiceProcess

GET = b"GET /tickets HTTP/1.1\r\nHost: tickets\r\nConnection: close\r\n"
POST = b"POST /tickets HTTP/1.1\r\nHost: tickets\r\nConnection: close\r\nContent-Type: application/json\r\n"
LAST = b"0\r\n\r\n"

# How long a connection that stays open may be silent before nothing more is expected on it.
QUIET_S = 2

# What any server may answer as it likes, once, or hang up on.
ODD = {
    "a request without a version": b"GET /tickets\r\n\r\n",
    "HTTP/3.7": b"GET /tickets HTTP/3.7\r\nHost: tickets\r\n\r\n",
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": bytes.fromhex("16030100a5010000a10303") + bytes(160) + b"\r\n\r\n",
    "NUL in the request line": b"GET /tickets\0%s HTTP/1.1\r\nHost: tickets\r\n\r\n" % MARK,
    "a space in the target": b"GET /tickets %s HTTP/1.1\r\nHost: tickets\r\n\r\n" % MARK,
    "a method that is none": b"%s /tickets HTTP/1.1\r\nHost: tickets\r\nConnection: close\r\n\r\n" % MARK,
    "a method in lower case": b"get /tickets HTTP/1.1\r\nHost: tickets\r\nConnection: close\r\n\r\n",
    "a method with a NUL": b"G\0T /tickets HTTP/1.1\r\nHost: tickets\r\n\r\n",
    "CONNECT": b"CONNECT %s:443 HTTP/1.1\r\nHost: tickets\r\nConnection: close\r\n\r\n" % MARK,
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: tickets\r\nConnection: close\r\n\r\n",
    "two hosts": GET + b"Host: %s\r\n\r\n" % MARK,
    "no host": b"GET /tickets HTTP/1.1\r\nConnection: close\r\n\r\n",
    "a host that is none": b"GET /tickets HTTP/1.1\r\nHost: [%s/?#@\r\nConnection: close\r\n\r\n" % MARK,
    "a space before the colon": GET + b"X-Request-Id : %s!\r\n\r\n" % MARK,
    "a header without a colon": GET + b"%s\r\n\r\n" % MARK,
    "a header without a name": GET + b": %s\r\n\r\n" % MARK,
    "lines that end in LF": b"GET /tickets HTTP/1.1\nHost: tickets\nConnection: close\n\n",
    "an upgrade": GET.replace(b"close", b"Upgrade")
    + b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % MARK,
    "a length below zero": POST + b"Content-Length: -1\r\n\r\n{}",
    "a length that is no number": POST + b"Content-Length: %s\r\n\r\n{}" % MARK,
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "two lengths in one": POST + b"Content-Length: 2, 3\r\n\r\n{} ",
    "a length of 5,000 digits": POST + b"Content-Length: %s\r\n\r\n{}" % (b"9" * 5000),
    "a length of 64 bits": POST + b"Content-Length: 18446744073709551615\r\n\r\n{}",
    "a chunk that is no number": POST + b"Transfer-Encoding: chunked\r\n\r\n%s\r\n{}\r\n" % MARK + LAST,
    "a chunk below zero": POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n" + LAST,
    "a chunk of 70 bits": POST + b"Transfer-Encoding: chunked\r\n\r\n%s\r\n{}\r\n" % (b"f" * 18) + LAST,
    "a chunk that is longer than it says": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n" + LAST,
    "a coding that is none": POST + b"Transfer-Encoding: %s\r\n\r\n" % MARK,
    "a coding after chunked": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n" + LAST,
    "a length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n" + LAST,
    "a trailer": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Request-Id: %s!\r\n\r\n" % MARK,
}
# What the application answers as it answers anything.
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
    "headers of nothing": (GET, b"a:\r\n" * 16_384),
    "a method": (b"", b"G" * 65_536),
    "a chunk's extension": (POST + b"Transfer-Encoding: chunked\r\n\r\n2;", b"x" * 65_536),
    "a trailer": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Long: ", b"x" * 65_536),
}

# A request behind another, whose path alone is not found: 404 tells that it was taken for a request.
KEPT_OPEN = POST.replace(b"Connection: close\r\n", b"")
HIDDEN = b"POST /smuggled HTTP/1.1\r\nHost: tickets\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
# Before LAST and HIDDEN: by one reading HIDDEN is body, by the other it is a request.
CONTRADICTIONS = [
    b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(LAST + HIDDEN),
    b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n" % len(LAST + HIDDEN),
    b"Transfer-Encoding: xchunked\r\nContent-Length: %d\r\n" % len(LAST + HIDDEN),
    b"Transfer-Encoding: chunked, identity\r\nContent-Length: 5\r\n",
    b"Content-Length: %d\r\nContent-Length: 5\r\n" % len(LAST + HIDDEN),
]


@pytest.mark.parametrize("sent", ODD.values(), ids=ODD)
async def test_odd_framing_does_no_harm(service: ServiceProcess, sent: bytes) -> None:
    answers = await converse(service.port, sent, quiet_after=QUIET_S)
    assert len(answers) <= 1, answers
    for answer in answers:  # if there is none, it hung up
        assert_harmless(answer, sent)


@pytest.mark.parametrize(("sent", "status"), PLAIN.values(), ids=PLAIN)
async def test_an_unusual_request_is_answered_as_any_other(service: ServiceProcess, sent: bytes, status: int) -> None:
    answer = await exchange(service.port, sent)
    assert answer is not None
    assert_harmless(answer, sent)
    assert answer.status == status
    assert MARK not in answer.head + answer.body


async def test_what_is_sent_behind_a_request_is_answered_as_another(service: ServiceProcess) -> None:
    """As what follows would be, if it were taken for a request."""
    for framing in (b"Content-Length: %d\r\n\r\n" % len(LAST), b"Transfer-Encoding: chunked\r\n\r\n"):
        answers = await converse(service.port, KEPT_OPEN + framing + LAST + HIDDEN, quiet_after=QUIET_S)
        assert [answer.status for answer in answers] == [422, 404], framing


@pytest.mark.parametrize("framing", CONTRADICTIONS)
async def test_a_length_that_contradicts_the_chunks_smuggles_no_second_request(
    service: ServiceProcess, framing: bytes
) -> None:
    answers = await converse(service.port, KEPT_OPEN + framing + b"\r\n" + LAST + HIDDEN, quiet_after=QUIET_S)
    assert len(answers) == 1, answers
    assert_harmless(answers[0], framing)
    assert answers[0].status in {400, 422}


@pytest.mark.parametrize(("sent", "more"), ENDLESS.values(), ids=ENDLESS)
async def test_a_head_without_an_end_is_not_held(service: ServiceProcess, sent: bytes, more: bytes) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(100 * MIB // len(more)):
            yield more
            taken += len(more)

    with bounded_memory(service):
        async with asyncio.timeout(5):
            answers = await converse(service.port, sent, then=endless())  # until it is hung up on
    assert taken < 32 * MIB, f"took {taken // MIB} MiB before it hung up"
    # A connection that is closed while one still writes may take the answer with it.
    for answer in answers:
        assert_harmless(answer, sent)
