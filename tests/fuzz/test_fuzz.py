"""The short form of `pipenv run fuzz`: always the same cases, all phases and all checks.

Boundary cases take most of the time: here one operation of fifteen has them, in the order of their ids, and those of
merged, closed and assigned tickets.
"""

import asyncio
import copy
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI

from fuzz.fuzzing import Report, fuzz
from support.factories import FAULT, JSON, NewDatabase, settings_for
from support.openapi_document import operations
from support.service_process import ServiceProcess

SEED = 7
CONTRADICTED = {"/tickets", "/tickets/{ticket_id}", "/tickets/{ticket_id}/comments", "/workflow"}
# Operations whose examples succeed on another ticket than the first.
EXAMPLES = {"undo_merge": 2, "open_follow_up": 4, "add_tag": 901}
ANY_VERSION = {"If-Match": "*", "If-None-Match": '"99"'}  # bulk changes may have changed any ticket
KEPT = {"undo_merge", "open_follow_up", "release_ticket", "take_ticket"}
# Every other ticket is closed and merged, so that the operations of such tickets succeed too. All have the version of
# the examples.
SOME_TICKETS = """
    INSERT INTO tickets (subject, text, email, status, closed_at, merged_into, merged_at)
    SELECT 'subject', 'text', 'alice@example.com',
        CASE WHEN n % 2 = 0 THEN 'closed' ELSE 'open' END, CASE WHEN n % 2 = 0 THEN now() END,
        CASE WHEN n % 2 = 0 THEN n - 1 END, CASE WHEN n % 2 = 0 THEN now() END
    FROM generate_series(1, 1000) AS n
"""


@pytest.fixture(scope="module")
async def service(
    migrated_database: NewDatabase, redis_address: tuple[str, int], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServiceProcess]:
    async with migrated_database() as dsn:
        connection = await asyncpg.connect(dsn)
        await connection.execute(SOME_TICKETS)
        await connection.close()
        settings = settings_for(dsn, *redis_address, allow_anonymous=False)
        with ServiceProcess(tmp_path_factory.mktemp("fuzz") / "log", settings) as service:
            yield service


@pytest.fixture(scope="module")
def key(service: ServiceProcess) -> str:
    return service.create_admin_key()


@pytest.fixture(scope="module")
def document(app: FastAPI) -> JSON:
    """The document, with examples that succeed: ticket 1 is open, and a key names one request of all operations."""
    document = copy.deepcopy(app.openapi())
    for operation in operations(document).values():
        if ticket := EXAMPLES.get(operation["operationId"]):
            ticket_id, *_ = operation["parameters"]
            ticket_id["schema"]["examples"] = [ticket]
        for parameter in operation.get("parameters", []):
            if parameter["name"] == "Idempotency-Key":
                parameter["schema"]["examples"] = [f"key-of-{operation['operationId']}"]
            elif operation["operationId"] == "add_tag" and parameter["name"] in ANY_VERSION:
                parameter["schema"]["examples"] = [ANY_VERSION[parameter["name"]]]
    return document


async def test_every_response_conforms_to_the_document(service: ServiceProcess, key: str, document: JSON) -> None:
    ids = sorted(operation["operationId"] for operation in operations(document).values())
    others = [each for number, each in enumerate(ids) if number % 15 and each not in KEPT]
    report = await fuzzed(document, service, key, examples=10, without_boundaries=others)
    assert [str(finding) for finding in report.distinct] == []
    assert report.obstacles == []
    assert set(report.sent) == {
        f"{method.upper()} {path}" for path, operations in document["paths"].items() for method in operations
    }
    assert all(report.accepted[operation] > 0 for operation in report.sent), report.accepted
    assert set(report.phases) == {"examples", "coverage", "fuzzing", "stateful"}
    assert not FAULT.search(service.output)


async def test_a_response_that_contradicts_the_document_is_found(
    service: ServiceProcess, key: str, document: JSON
) -> None:
    other = copy.deepcopy(document)
    other["paths"] = {path: operations for path, operations in other["paths"].items() if path in CONTRADICTED}
    comments = other["paths"]["/tickets/{ticket_id}/comments"]["post"]
    comments["requestBody"]["content"]["application/json"]["schema"] = {"type": "object"}
    other["components"]["schemas"]["TicketDetails"]["properties"]["version"] = {"type": "string"}
    del other["paths"]["/workflow"]["get"]["responses"]["200"]
    report = await fuzzed(other, service, key, examples=8, only_random=True)
    found = {(finding.operation, finding.check) for finding in report.findings}
    assert {
        ("POST /tickets/{ticket_id}/comments", "positive_data_acceptance"),
        ("GET /tickets/{ticket_id}", "response_schema_conformance"),
        ("GET /workflow", "status_code_conformance"),
    } <= found


async def fuzzed(document: JSON, service: ServiceProcess, key: str, **options: Any) -> Report:
    """Fuzz in a thread, because the applications that tests share run in this event loop."""

    def work() -> Report:
        *_, report = fuzz(document, service.url, key, seed=SEED, **options)
        return report

    return await asyncio.to_thread(work)
