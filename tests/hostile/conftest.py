"""One real service for all hostile requests; after each test it must work as before."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import pytest
from fastapi import FastAPI

from fuzz.service import ServiceProcess, serving
from hostile.wire import Answer, Request, all_of, exchange
from support.factories import FAULT, JSON, a_ticket, migrate_to_head, new_database, settings_for

MARK = b"do-not-repeat-me"


@pytest.fixture(scope="session")
async def hostile_dsn(postgres_dsn: str) -> AsyncIterator[str]:
    """A database that only this corpus writes to."""
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        yield dsn


@pytest.fixture(scope="session")
def real_service(hostile_dsn: str, redis_address: tuple[str, int]) -> Iterable[ServiceProcess]:
    with serving(settings_for(hostile_dsn, *redis_address)) as service:
        yield service


@pytest.fixture
async def service(real_service: ServiceProcess) -> AsyncIterator[ServiceProcess]:
    """The service, with a ticket 1; at the end of the test it runs, works, and has logged no error."""
    written = len(real_service.output())
    await a_new_ticket(real_service)
    yield real_service
    assert real_service.is_running
    assert (await a_new_ticket(real_service))["status"] == "open"
    assert not FAULT.search(real_service.output()[written:]), real_service.output()[written:]


@pytest.fixture
def document(app: FastAPI) -> JSON:
    return app.openapi()


async def a_new_ticket(service: ServiceProcess, **fields: Any) -> JSON:
    body = json.dumps(a_ticket(**fields)).encode()
    answer = await exchange(service.port, Request(b"POST", b"/tickets", body=body))
    assert answer is not None
    assert answer.status == 201, answer
    ticket: JSON = json.loads(answer.body)
    return ticket


@pytest.fixture
def endure(service: ServiceProcess) -> Callable[[Iterable[Request]], Awaitable[list[Answer]]]:
    """Send requests, assert that each response is harmless, and return the responses."""
    return lambda requests: endured(service, requests)


async def endured(service: ServiceProcess, requests: Iterable[Request]) -> list[Answer]:
    answers = []
    for request, answer in await all_of(service.port, requests):
        assert answer is not None, request
        assert_harmless(answer, request)
        answers.append(answer)
    assert answers
    return answers


def assert_harmless(answer: Answer, request: object) -> None:
    """Assert no 5xx, no injected header, and that a refusal is a problem that does not repeat the input."""
    context = (answer, request)
    assert answer.status < 500, context
    assert "x-injected" not in answer.headers, context
    if answer.status < 400:
        return
    assert MARK not in answer.head, context
    assert MARK not in answer.body, context
    assert answer.is_ours or answer.status == 400, context
    # uvicorn refuses some requests in plain text of its own.
    if answer.is_ours or not answer.headers["content-type"].startswith("text/plain"):
        assert answer.headers["content-type"] == "application/problem+json", context
        assert json.loads(answer.body)["status"] == answer.status, context
