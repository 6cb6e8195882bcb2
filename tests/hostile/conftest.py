"""One real service for all hostile requests; after each test it must work as before."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI

from db.postgres.database import Database
from hostile.positions import ADMIN_KEY, OTHER_KEY_ID
from hostile.wire import Request, Response, all_of, exchange
from services.secret_box import SecretBox
from services.webhooks.signature import new_secret
from support.factories import FAULT, JSON, NewDatabase, a_ticket, settings_for
from support.service_process import ServiceProcess

MARK = b"do-not-repeat-me"


@pytest.fixture(scope="session")
async def hostile_dsn(migrated_database: NewDatabase) -> AsyncIterator[str]:
    """A database that only this corpus writes to."""
    async with migrated_database() as dsn:
        await add_directory(dsn)
        yield dsn


async def add_directory(dsn: str) -> None:
    """Add an admin, and the resources that the paths of the requests name."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("""
        INSERT INTO principals (id, kind, name, role) VALUES ('key:hostile', 'service', 'hostile', 'admin');
        INSERT INTO principals (id, kind, name, role) VALUES ('person:1', 'person', 'Alice', 'agent');
        INSERT INTO groups (name) VALUES ('Network');
        SELECT nextval('person_numbers');
        INSERT INTO calendars (name, zone, weekly) VALUES ('Support', 'UTC',
            '{"mon": [["09:00", "17:30"]], "tue": [], "wed": [], "thu": [], "fri": [], "sat": [], "sun": []}');
        INSERT INTO sla_policies (name, position, calendar_id, first_response_s) VALUES ('Standard', 1, 1, 3600);
        INSERT INTO fields (key, label, type) VALUES ('device', 'Device', 'text');
        INSERT INTO rules (name, position, events, actions)
        SELECT 'rule ' || n, n, '{ticket.created}', '{"add_tags": ["x"]}' FROM generate_series(1, 2) n;
        INSERT INTO bulk_runs (principal_id, action, ticket_ids, finished_at) VALUES ('key:hostile', '{}', '{}', now());
        INSERT INTO saved_views (name, query, position)
        SELECT 'view ' || n, 'status=open', n FROM generate_series(1, 2) n;
        INSERT INTO canned_replies (title, shortcut, text)
        SELECT 'Greeting', 'reply-' || n, 'Hello {{me.name}}' FROM generate_series(1, 2) n;
        INSERT INTO tickets (subject, text, email)
        SELECT 'subject', 'text', 'alice@example.com' FROM generate_series(1, 6);
        INSERT INTO reminders (ticket_id, principal_id, remind_at)
        SELECT id, 'key:hostile', '2035-03-02Z' FROM tickets WHERE id IN (1, 6);
        UPDATE tickets SET status = 'closed', closed_at = now(), version = 2 WHERE id IN (3, 5);
        SELECT set_config('tickets.change_purpose', 'merge', false);
        UPDATE tickets SET merged_into = 4, merged_at = now(), version = 3 WHERE id = 3;
    """)
    for key_id in (ADMIN_KEY.id, OTHER_KEY_ID):
        await connection.execute(
            "INSERT INTO api_keys (id, name, role, secret_hash) VALUES ($1, 'hostile', 'agent', $2)",
            *(key_id, ADMIN_KEY.secret_hash),
        )
    await add_webhooks(connection, dsn)
    await connection.close()


async def add_webhooks(connection: asyncpg.Connection, dsn: str) -> None:
    """Add two webhooks to which nothing is sent, and a delivery and a replay of the first."""
    database = Database(dsn, pool_size=1)
    secret = await SecretBox(database).seal(new_secret())
    await database.close()
    await connection.execute(
        """
        INSERT INTO webhook_endpoints (url, principal_id, secret, cursor, state)
        SELECT 'https://hooks.example.com/', 'key:hostile', $1, 0, 'paused' FROM generate_series(1, 2)
        """,
        secret,
    )
    await connection.execute("""
        INSERT INTO webhook_deliveries (endpoint_id, position, ticket_id, version, state, finished_at)
        VALUES (1, 1, 1, 1, 'done', now());
        INSERT INTO webhook_replays (endpoint_id, from_position, to_position, cursor) VALUES (1, 0, 0, 0);
    """)


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
    response = await exchange(service.port, Request(b"POST", b"/tickets", body=body))
    assert response is not None
    assert response.status == 201, response
    ticket: JSON = json.loads(response.body)
    return ticket


@pytest.fixture
def endure(service: ServiceProcess) -> Callable[[Iterable[Request]], Awaitable[list[Response]]]:
    """Send requests, assert that each response is harmless, and return the responses."""
    return lambda requests: endured(service, requests)


async def endured(service: ServiceProcess, requests: Iterable[Request]) -> list[Response]:
    responses = []
    for request, response in await all_of(service.port, requests):
        assert response is not None, request
        assert_harmless(response, request)
        responses.append(response)
    assert responses
    return responses


def assert_harmless(response: Response, request: object) -> None:
    """Assert no 5xx, no injected header, and that a refusal is a problem that does not repeat the input."""
    context = (response, request)
    assert response.status < 500, context
    assert "x-injected" not in response.headers, context
    if response.status < 400:
        return
    assert MARK not in response.head, context
    assert MARK not in response.body, context
    assert response.is_ours or response.status == 400, context
    # uvicorn refuses some requests in plain text of its own.
    if response.is_ours or not response.headers["content-type"].startswith("text/plain"):
        assert response.headers["content-type"] == "application/problem+json", context
        assert json.loads(response.body)["status"] == response.status, context
