"""The rights of a requester: only their own tickets, and no sign that other tickets exist."""

import asyncio
import re
import secrets

import asyncpg
import httpx2
import pytest

from access.conftest import ALICE, MALLORY, GuardedService
from core.settings import ROOT
from db.postgres.statements import Statement
from models import Role
from services.tickets import statements as ticket_statements
from services.tickets.page_shape import FILTERS
from support.factories import JSON, a_comment, a_ticket

MISSING = 2**40


@pytest.fixture
async def ticket(service: GuardedService, alice: dict[str, str]) -> JSON:
    """A ticket of Alice with a comment, in the cache; its subject is the idempotency key of its creation."""
    key = secrets.token_hex(8)
    created = await service.client.post(
        "/tickets", json=a_ticket(email="Alice@Example.com", subject=key), headers=alice | {"Idempotency-Key": key}
    )
    assert created.status_code == 201, created.text
    path = f"/tickets/{created.json()['id']}"
    reply = await service.client.post(
        f"{path}/comments", json=a_comment(email=ALICE, text="unmistakable"), headers=alice | {"Idempotency-Key": path}
    )
    assert reply.status_code == 201, reply.text
    for _ in range(20):  # a slow machine may open the circuit breaker of the cache for a moment
        read = await service.client.get(path, headers=alice)
        if read.headers["Cache-Status"] == "tickets; hit":
            break
        await asyncio.sleep(0.1)
    assert read.headers["Cache-Status"] == "tickets; hit"
    found: JSON = read.json()
    return found


def comparable(response: httpx2.Response) -> tuple[int, JSON, set[str]]:
    body = {name: value for name, value in response.json().items() if name not in {"instance", "request_id"}}
    return response.status_code, body, set(response.headers)


# Every operation on one ticket, as a method, a path and a body; a new operation must be added here.
OPERATIONS: dict[str, tuple[str, str, JSON | None]] = {
    "get_ticket": ("GET", "/tickets/{id}", None),
    "change_ticket": ("PATCH", "/tickets/{id}", {"subject": "mine"}),
    "create_comment": ("POST", "/tickets/{id}/comments", a_comment(email=MALLORY)),
    "list_comments": ("GET", "/tickets/{id}/comments", None),
    "list_history": ("GET", "/tickets/{id}/history", None),
    "list_ticket_events": ("GET", "/tickets/{id}/events", None),
    "add_participant": ("PUT", "/tickets/{id}/participants/carol@example.com", None),
    "remove_participant": ("DELETE", "/tickets/{id}/participants/carol@example.com", None),
    "open_follow_up": ("POST", "/tickets/{id}/follow-ups", a_ticket(email=MALLORY)),
}
# These refuse every requester, before they read a ticket.
OF_AGENTS = {
    "put_ticket_by_external_id",
    "take_ticket",
    "release_ticket",
    "add_tag",
    "remove_tag",
    "add_link",
    "remove_link",
    "merge_ticket",
    "undo_merge",
    "set_reminder",
    "get_reminder",
    "delete_reminder",
    "try_bulk_change",
    "start_bulk_change",
    "get_bulk_change",
}
CONDITIONS: list[dict[str, str]] = [
    {},
    {"If-None-Match": '"2"'},
    {"If-None-Match": "*"},
    {"If-Match": '"2"'},
    {"If-Match": '"7"'},
    {"Cache-Control": "no-cache"},
    {"Idempotency-Key": "a-key"},
]
LISTS = [
    "/tickets",
    "/tickets?email=alice@example.com",
    "/tickets?q=unmistakable",
    "/tickets?q=unmistakable&email=alice@example.com&status=open",
    "/tickets?status=open&status=closed",
    "/tickets?sort=-updated_at&created_after=2020-01-01T00:00:00Z",
]


async def test_every_operation_on_tickets_is_listed_here(service: GuardedService) -> None:
    found = {
        each["operationId"]
        for path, operations in service.app.openapi()["paths"].items()
        for each in operations.values()
        if path.startswith("/tickets")
    }
    assert found == set(OPERATIONS) | OF_AGENTS | {"create_ticket", "list_tickets", "count_tickets"}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("conditions", CONDITIONS, ids=str)
async def test_a_foreign_ticket_responds_as_a_missing_one(
    service: GuardedService, mallory: dict[str, str], ticket: JSON, operation: str, conditions: dict[str, str]
) -> None:
    method, path, body = OPERATIONS[operation]
    foreign, missing = [
        await service.client.request(method, path.format(id=id_), json=body, headers=mallory | conditions)
        for id_ in (ticket["id"], MISSING)
    ]
    assert foreign.status_code == 404
    assert comparable(foreign) == comparable(missing)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_foreign_ticket_costs_the_same_statements_as_a_missing_one(
    service: GuardedService, mallory: dict[str, str], ticket: JSON, operation: str, statements: list[str]
) -> None:
    method, path, body = OPERATIONS[operation]
    sent = []
    for id_ in (ticket["id"], MISSING):
        statements.clear()
        await service.client.request(method, path.format(id=id_), json=body, headers=mallory)
        await asyncio.sleep(0)  # the driver reports a query after its result
        sent.append(list(statements))
    assert sent[0] == sent[1] != []


async def test_a_locked_foreign_ticket_delays_no_response(
    service: GuardedService, mallory: dict[str, str], ticket: JSON, service_sql: asyncpg.Connection
) -> None:
    """Waiting for the lock would reveal that the ticket exists."""
    async with service_sql.transaction():
        await service_sql.execute("SELECT FROM tickets WHERE id = $1 FOR UPDATE", ticket["id"])
        response = await asyncio.wait_for(
            service.client.patch(f"/tickets/{ticket['id']}", json={"subject": "mine"}, headers=mallory), 2
        )
    assert response.status_code == 404


@pytest.mark.parametrize("path", LISTS)
async def test_no_list_contains_a_foreign_ticket(
    service: GuardedService, alice: dict[str, str], mallory: dict[str, str], ticket: JSON, path: str
) -> None:
    assert ticket["id"] in [item["id"] for item in (await service.client.get(path, headers=alice)).json()["items"]]
    assert (await service.client.get(path, headers=mallory)).json() == {"items": [], "next_cursor": None}


async def test_the_cursor_of_another_principal_reveals_no_ticket(
    service: GuardedService, agent: dict[str, str], mallory: dict[str, str], ticket: JSON
) -> None:
    await service.client.post("/tickets", json=a_ticket(), headers=agent)
    cursor = (await service.client.get("/tickets?limit=1", headers=agent)).json()["next_cursor"]
    stolen = await service.client.get(f"/tickets?limit=1&cursor={cursor}", headers=mallory)
    assert ticket["subject"] not in stolen.text
    assert stolen.status_code in {200, 422}


@pytest.mark.parametrize("operation", ["create_ticket", "create_comment"])
async def test_an_idempotency_key_belongs_to_its_principal(
    service: GuardedService, alice: dict[str, str], agent: dict[str, str], ticket: JSON, operation: str
) -> None:
    """The same key and request of another principal are another request."""
    if operation == "create_ticket":
        path, body, key = "/tickets", a_ticket(email="Alice@Example.com", subject=ticket["subject"]), ticket["subject"]
    else:
        path = f"/tickets/{ticket['id']}/comments"
        body, key = a_comment(email=ALICE, text="unmistakable"), f"/tickets/{ticket['id']}"
    responses = [
        await service.client.post(path, json=body, headers=headers | {"Idempotency-Key": key})
        for headers in (alice, agent)
    ]
    assert [response.status_code for response in responses] == [201, 201]
    assert ["Idempotent-Replayed" in response.headers for response in responses] == [True, False]
    assert responses[0].json()["id"] != responses[1].json()["id"]


async def test_a_requester_writes_only_under_their_own_address(
    service: GuardedService, alice: dict[str, str], ticket: JSON
) -> None:
    for path, body in (
        ("/tickets", a_ticket(email=MALLORY)),
        (f"/tickets/{ticket['id']}/comments", a_comment(email=MALLORY)),
    ):
        response = await service.client.post(path, json=body, headers=alice)
        assert (response.status_code, response.json()["type"]) == (403, "/problems/forbidden")


async def test_a_requester_replies_and_closes_but_may_not_set_answered(
    service: GuardedService, agent: dict[str, str], alice: dict[str, str], ticket: JSON
) -> None:
    path = f"/tickets/{ticket['id']}"
    refused = [
        await service.client.patch(path, json={"status": "answered"}, headers=alice),
        await service.client.post(f"{path}/comments", json=a_comment(email=ALICE, status="answered"), headers=alice),
    ]
    assert [response.status_code for response in refused] == [403, 403]
    answered = await service.client.patch(path, json={"status": "answered"}, headers=agent)
    assert answered.status_code == 200
    reply = a_comment(email=ALICE.upper(), status="awaiting_reply")
    assert (await service.client.post(f"{path}/comments", json=reply, headers=alice)).status_code == 201
    closed = await service.client.patch(path, json={"status": "closed"}, headers=alice)
    assert (closed.status_code, closed.json()["status"]) == (200, "closed")
    history = (await service.client.get(f"{path}/history", headers=alice)).json()["items"]
    assert [event["actor"] for event in history] == ["key:alice", "key:alice", "key:crm", "key:alice", "key:alice"]


def test_every_statement_that_reads_tickets_checks_their_visibility() -> None:
    """The statements that need not check it are named here, with the reason."""
    reasons = {
        "BY_EXTERNAL_ID": "serves agents only",
    }
    predicate = "email_key(tickets.email) = email_key("
    checked = 0
    for name, statement in vars(ticket_statements).items():
        if isinstance(statement, Statement) and name not in reasons:
            assert predicate in statement.sql, name
            checked += 1
    assert checked == 6
    assert predicate in str(FILTERS["requester"])
    services = (ROOT / "src" / "services").rglob("*.py")
    reading = re.compile(r"table_of\((Ticket|Comment|TicketEvent|SearchDocument|RecentWords)\)")
    modules = {path.name for path in services if reading.search(path.read_text())}
    # The page shape has the filter; the search builds on it; the counts name no ticket.
    assert modules <= {"statements.py", "search.py", "maintenance.py"}


async def test_the_role_is_that_of_the_key(service: GuardedService) -> None:
    for role, email in ((Role.AGENT, None), (Role.REQUESTER, "carol@example.com")):
        headers = await service.headers_for(f"carol-{role}", role, email)
        response = await service.client.post("/tickets", json=a_ticket(), headers=headers)
        assert response.status_code == (201 if role is Role.AGENT else 403)
