"""One real service for the whole corpus, which must be as well after each test as before it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import pytest
from fastapi import FastAPI

from hostile.wire import Answer, Request, all_of, exchange
from support.factories import FAULT, JSON, NewDatabase, a_ticket, settings_for
from support.service_process import ServiceProcess

MARK = b"do-not-repeat-me"


@pytest.fixture(scope="session")
async def hostile_dsn(migrated_database: NewDatabase) -> AsyncIterator[str]:
    """A database that only this corpus writes to."""
    async with migrated_database() as dsn:
        yield dsn


@pytest.fixture(scope="session")
def real_service(
    hostile_dsn: str, redis_address: tuple[str, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterable[ServiceProcess]:
    log = tmp_path_factory.mktemp("hostile") / "log"
    with ServiceProcess(log, settings_for(hostile_dsn, *redis_address)) as service:
        yield service


@pytest.fixture
async def service(real_service: ServiceProcess) -> AsyncIterator[ServiceProcess]:
    """The service, with a ticket 1; at the end of the test it runs, works, and has logged no error."""
    written = len(real_service.log)
    await a_new_ticket(real_service)
    yield real_service
    assert real_service.is_running
    assert (await a_new_ticket(real_service))["status"] == "open"
    assert not FAULT.search(real_service.log[written:])


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
    """Send requests, see that no answer does harm, and return the answers."""
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
    """No fault of the service, nothing injected, and a refusal that is a problem and says nothing again."""
    told = (answer, request)
    assert answer.status < 500, told
    assert "x-injected" not in answer.headers, told
    if answer.status < 400:
        return
    assert MARK not in answer.head, told
    assert MARK not in answer.body, told
    assert answer.is_ours or answer.status == 400, told
    # The server in front of the application may say it in words of its own.
    if answer.is_ours or not answer.headers["content-type"].startswith("text/plain"):
        assert answer.headers["content-type"] == "application/problem+json", told
        assert json.loads(answer.body)["status"] == answer.status, told
