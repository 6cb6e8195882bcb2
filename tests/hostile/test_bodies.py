"""Bodies that are nested too deeply, too wide or too long, and duplicate names."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from api.http.query import REPEATABLE
from hostile.conftest import MARK, a_new_ticket, assert_harmless
from hostile.positions import in_bodies, in_headers, in_queries, operations
from hostile.wire import Request, Response, exchange
from support.factories import JSON
from support.service_process import ServiceProcess

Endure = Callable[[Iterable[Request]], Awaitable[list[Response]]]

MIB: Final = 1024 * 1024
MAX_GROWTH: Final = 64 * MIB

DEEP = {
    "arrays": b"[" * 100_000 + b"]" * 100_000,
    "objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "arrays, cut off": b"[" * 100_000,
    "objects, cut off": b'{"a":' * 100_000,
}
# Bodies of 0.9 MiB that are expensive to parse or to validate.
EXPENSIVE = {
    "unknown keys": b"{%s}" % b",".join(b'"%x":0' % number for number in range(95_000)),
    "the same key": b"{%s}" % b",".join([b'"subject":0'] * 78_000),
    "unknown keys behind a text": b'{"text":"%s\\\\",%s}'
    % (b'\\",' * 1000, b",".join(b'"%x":0' % number for number in range(94_000))),
    "empty arrays": b'{"subject":[%s]}' % b",".join([b"[]"] * 310_000),
    "empty strings": b'{"subject":[%s]}' % b",".join([b'""'] * 310_000),
    "numbers": b'{"subject":[%s]}' % b",".join([b"1"] * 465_000),
    "UTF-16": str({f"{number:x}": 0 for number in range(48_000)}).replace("'", '"').encode("utf-16"),
    "blank text": b'{"text":"%s"}' % (b" " * 900_000),
}
# What a request may cost, in seconds of processor time; each of the bodies above took up to 0.35 s.
MAX_CPU_S: Final = 0.05
NUMBERS = {
    "100,000 digits": b"9" * 100_000,
    "a negative one": b"-" + b"9" * 100_000,
    "100,000 decimals": b"0." + b"3" * 100_000,
    "an exponent of 100,000 digits": b"1e" + b"9" * 100_000,
    "more than a double holds": b"1e400",
    "less than a double holds": b"1e-400",
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "-Infinity": b"-Infinity",
    "more than 64 bits": b"18446744073709551616",
    "minus zero": b"-0",
}


@pytest.mark.parametrize("literal", DEEP.values(), ids=DEEP)
async def test_json_nested_100_000_deep_is_refused(endure: Endure, document: JSON, literal: bytes) -> None:
    whole = [operation.request(body=literal) for operation in operations(document) if operation.fields]
    responses = await endure([*whole, *in_bodies(document, literal)])
    assert {response.status for response in responses} <= {400, 422}


@pytest.mark.parametrize("literal", NUMBERS.values(), ids=NUMBERS)
async def test_an_extreme_number_is_refused(endure: Endure, document: JSON, literal: bytes) -> None:
    """Two of them are 0 for every parser."""
    responses = await endure(in_bodies(document, literal, but_zeros=float(literal) == 0))
    assert {response.status for response in responses} <= {400, 422}
    await endure([*in_queries(document, literal[:5000]), *in_headers(document, literal[:5000])])


@pytest.mark.parametrize("body", EXPENSIVE.values(), ids=EXPENSIVE)
async def test_json_of_the_permitted_size_does_not_occupy_the_event_loop(
    service: ServiceProcess, document: JSON, body: bytes
) -> None:
    """Processor time, unlike elapsed time, does not depend on what else the machine does."""
    (operation,) = [each for each in operations(document) if each.id == "create_ticket"]
    rounds = 10
    began_at = service.cpu_s
    for _ in range(rounds):
        answer = await exchange(service.port, operation.request(body=body))
        assert answer is not None
        assert answer.status in {400, 422}
        assert_harmless(answer, operation.id)
    assert (service.cpu_s - began_at) / rounds < MAX_CPU_S


async def test_a_body_may_have_1000_members_and_may_be_nested_32_deep(service: ServiceProcess) -> None:
    """Both are refused, as unknown fields, one by one; one more of either is refused before it is parsed."""
    for members, depth, detail in (
        (1000, 32, "unknown field"),
        (1001, 1, "must have at most 1,000 members, nested at most 32 deep"),
        (1, 33, "must have at most 1,000 members, nested at most 32 deep"),
    ):
        nested = b"[" * (depth - 1) + b"]" * (depth - 1) if depth > 1 else b"0"
        others = b"".join(b',"%x":"[{,"' % number for number in range(members - depth))
        answer = await exchange(service.port, Request(b"POST", b"/tickets", body=b'{"nested":%s%s}' % (nested, others)))
        assert answer is not None
        assert answer.status == 422
        assert detail in {part["detail"] for part in json.loads(answer.body)["errors"]}


async def test_an_object_of_a_million_keys_is_refused_by_its_length(endure: Endure, document: JSON) -> None:
    body = b"{%s}" % b",".join(b'"k%d":0' % number for number in range(1_000_000))
    responses = await endure(operation.request(body=body) for operation in operations(document) if operation.fields)
    assert {response.status for response in responses} == {413}


async def test_a_body_full_of_unknown_keys_gets_a_short_response(endure: Endure, document: JSON) -> None:
    keys = b",".join(b'"%x":0' % number for number in range(100_000))
    for response in await endure(
        operation.request(body=b"{%s}" % keys) for operation in operations(document) if operation.fields
    ):
        assert response.status == 422
        assert len(response.body) < 64 * 1024, f"{len(response.body)} bytes of problem details"


async def test_the_last_of_duplicate_keys_is_validated_and_stored(service: ServiceProcess) -> None:
    """RFC 8259 does not define which one counts. Validation and storage must use the same one."""
    for body, statuses, status in (
        (b'{"status": "closed", "status": "answered"}', {200}, "answered"),
        (b'{"status": "nonsense", "status": "answered"}', {200}, "answered"),
        (b'{"status": "answered", "status": "nonsense"}', {422}, "open"),
        (b'{"status": "answered", "status": null}', {422}, "open"),
        (rb'{"status": "closed", "\u0073tatus": "answered"}', {200}, "answered"),
        (b'{"subject": "valid", "subject": "\\u0000"}', {422}, "open"),
    ):
        ticket = await a_new_ticket(service)
        target = b"/tickets/%d" % ticket["id"]
        response = await exchange(service.port, Request(b"PATCH", target, body=body))
        assert response is not None
        assert response.status in statuses, body
        found = await exchange(service.port, Request(b"GET", target))
        assert found is not None
        stored = json.loads(found.body)
        assert (stored["status"], stored["subject"]) == (status, ticket["subject"])
        assert stored["version"] == (2 if response.status == 200 else 1)


async def test_duplicate_parameters_are_refused(endure: Endure, document: JSON) -> None:
    duplicates = [
        operation.request(target=operation.target() + f"?{name}={one}&{name}={other}".encode())
        for operation in operations(document)
        for name in operation.parameters.get("query", [])
        for one, other in (("1", MARK.decode()), (MARK.decode(), "1"), ("", "x"), ("open", "closed"))
        if name not in REPEATABLE or (name == "status" and one != "open")
    ]
    assert {response.status for response in await endure(duplicates)} == {422}


async def test_a_declared_length_of_100_mib_is_refused_before_the_body(endure: Endure, document: JSON) -> None:
    declared = [(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % (100 * MIB))]
    responses = await endure(operation.request(body=None, headers=declared) for operation in operations(document))
    assert {response.status for response in responses} == {413}
    assert {response.headers["connection"] for response in responses} == {"close"}


@pytest.mark.parametrize(
    ("framing", "chunk"),
    [
        ((b"Content-Length", b"%d" % (100 * MIB)), b"x" * 65_536),
        ((b"Transfer-Encoding", b"chunked"), b"%x\r\n%s\r\n" % (65_536, b"x" * 65_536)),
    ],
    ids=["declared", "chunked"],
)
async def test_a_body_of_100_mib_is_not_kept_in_memory(
    service: ServiceProcess, document: JSON, framing: tuple[bytes, bytes], chunk: bytes
) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100 * MIB // 65_536):
            yield chunk
            sent += 65_536

    for operation in operations(document):
        sent = 0
        request = operation.request(body=None, headers=[(b"Content-Type", b"application/json"), framing])
        with bounded_memory(service):
            response = await exchange(service.port, request, then=chunks())
        # Closing a connection while the client still writes may discard the response.
        if response is not None:
            assert_harmless(response, operation.id)
        if operation.fields:
            assert response is None or response.status == 413, operation.id
            assert sent < 16 * MIB, f"{operation.id} read {sent // MIB} MiB before it refused"


async def test_a_body_one_byte_over_the_limit_is_refused_before_its_end(
    service: ServiceProcess, document: JSON
) -> None:
    """The service reads all that was sent, so the response is not discarded."""
    for operation in operations(document):
        if not operation.fields:
            continue
        headers = [(b"Content-Type", b"application/json"), (b"Transfer-Encoding", b"chunked")]
        head = operation.request(body=None, headers=headers).encoded()
        response = await exchange(service.port, head + b"%x\r\n%s\r\n1\r\n \r\n" % (MIB, b" " * MIB))
        assert response is not None
        assert_harmless(response, operation.id)
        assert response.status == 413, operation.id


@contextmanager
def bounded_memory(service: ServiceProcess) -> Iterator[None]:
    """See that the service does not grow, not even for a moment."""
    before, most = service.memory_bytes, 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, service.memory_bytes)
            await asyncio.sleep(0.005)

    watching = asyncio.get_running_loop().create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
    grown = max(most, service.memory_bytes) - before
    assert grown < MAX_GROWTH, f"grew by {grown // MIB} MiB"
