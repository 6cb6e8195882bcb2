"""SQL in every position: stored as text or refused, never executed."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from urllib.parse import quote

import asyncpg
import pytest

from hostile.conftest import a_new_ticket
from hostile.positions import in_bodies, in_headers, in_paths, in_queries
from hostile.wire import Request, Response, exchange
from support.factories import JSON
from support.service_process import ServiceProcess

Endure = Callable[[Iterable[Request]], Awaitable[list[Response]]]

FRAGMENTS = [
    "'; DROP TABLE tickets; --",
    "' OR '1'='1",
    '" OR ""="',
    "1); DELETE FROM comments; --",
    "\\'; UPDATE tickets SET status = 'closed'; --",
    "'||pg_sleep(20)||'",
    "id; SELECT pg_sleep(20)",
    "(SELECT version())",
    "$$;TRUNCATE tickets CASCADE;$$",
    "%s %(id)s $1 :status ${0} {0} {{7*7}}",
    "%' ESCAPE '!' --",
    "/*!50000*/ UNION SELECT * FROM tickets",
    "\u02bc; DROP TABLE tickets; --",
    "to_tsquery('a & & b | !')",
    "-id, (SELECT 1)",
]
COUNTS = "SELECT (SELECT count(*) FROM tickets), (SELECT count(*) FROM comments), (SELECT sum(version) FROM tickets)"


@pytest.fixture
async def database(hostile_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(hostile_dsn)
    yield connection
    await connection.close()


@pytest.mark.parametrize("fragment", FRAGMENTS)
async def test_sql_is_not_executed(
    endure: Endure, service: ServiceProcess, document: JSON, database: asyncpg.Connection, fragment: str
) -> None:
    await a_new_ticket(service)
    before, began_at = await counts(database), time.monotonic()
    encoded, raw = quote(fragment).encode(), fragment.encode()
    reading = [
        *(request for request in in_queries(document, encoded) if request.method == b"GET"),
        *(request for request in in_paths(document, encoded) if request.method == b"GET"),
        *(request for request in in_headers(document, raw) if request.method == b"GET"),
    ]
    await endure(reading)
    assert await counts(database) == before
    tickets, comments, versions = before
    writing = list(in_bodies(document, json.dumps(fragment).encode()))
    for request, response in zip(writing, await endure(writing), strict=True):
        shown = json.loads(response.body)
        if response.status not in {200, 201} or not shown.keys() & {"ticket_id", "subject"}:
            continue
        if (request.method, response.status) == (b"PUT", 200):  # the ticket with this external id exists
            continue
        # A follow-up is a change of the ticket that it continues, too.
        versions += 1 + (shown.get("follow_up_of") is not None)
        if response.status == 201:
            tickets, comments = (tickets, comments + 1) if "ticket_id" in shown else (tickets + 1, comments)
    assert await counts(database) == (tickets, comments, versions)
    assert time.monotonic() - began_at < 15, "pg_sleep was executed"


@pytest.mark.parametrize("fragment", FRAGMENTS)
async def test_sql_in_a_text_is_stored_unchanged(service: ServiceProcess, fragment: str) -> None:
    ticket = await a_new_ticket(service, subject=fragment, text=fragment)
    found = await exchange(service.port, Request(b"GET", b"/tickets/%d" % ticket["id"]))
    assert found is not None
    stored = json.loads(found.body)
    assert (stored["subject"], stored["text"]) == (fragment, fragment)


async def counts(database: asyncpg.Connection) -> tuple[int, ...]:
    row = await database.fetchrow(COUNTS)
    assert row is not None
    return tuple(row)
