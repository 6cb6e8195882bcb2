"""A requester sees and touches their own tickets, and the others are as if they were not there."""

import asyncio
import re
import secrets

import asyncpg
import httpx2
import pytest

from access.conftest import ALICE, MALLORY, Door
from core.settings import ROOT
from db.postgres.statements import Statement
from models import Role
from services.tickets import statements as ticket_statements
from services.tickets.page_shape import FILTERS
from support.factories import JSON, a_comment, a_ticket

MISSING = 2**40


@pytest.fixture
async def ticket(door: Door, alice: dict[str, str]) -> JSON:
    """A ticket of Alice's with a comment, warm in the cache; its subject is the key it was opened under."""
    key = secrets.token_hex(8)
    created = await door.visitor.post(
        "/tickets", json=a_ticket(email="Alice@Example.com", subject=key), headers=alice | {"Idempotency-Key": key}
    )
    assert created.status_code == 201, created.text
    path = f"/tickets/{created.json()['id']}"
    reply = await door.visitor.post(
        f"{path}/comments", json=a_comment(email=ALICE, text="unmistakable"), headers=alice | {"Idempotency-Key": path}
    )
    assert reply.status_code == 201, reply.text
    for _ in range(2):
        read = await door.visitor.get(path, headers=alice)
    assert read.headers["Cache-Status"] == "tickets; hit"
    found: JSON = read.json()
    return found


def without_occurrence(answer: httpx2.Response) -> tuple[int, JSON, set[str]]:
    body = {name: value for name, value in answer.json().items() if name not in {"instance", "request_id"}}
    return answer.status_code, body, set(answer.headers)


# Every way to a ticket, as a method, a path and a body; a new route has to be added here.
WAYS: dict[str, tuple[str, str, JSON | None]] = {
    "get_ticket": ("GET", "/tickets/{id}", None),
    "change_ticket": ("PATCH", "/tickets/{id}", {"subject": "mine"}),
    "create_comment": ("POST", "/tickets/{id}/comments", a_comment(email=MALLORY)),
    "list_comments": ("GET", "/tickets/{id}/comments", None),
    "list_history": ("GET", "/tickets/{id}/history", None),
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
    "/tickets?sort=updated_at&created_after=2020-01-01T00:00:00Z",
]


async def test_every_way_to_a_ticket_is_walked_here(door: Door) -> None:
    ways = {
        operation["operationId"]
        for path, operations in door.app.openapi()["paths"].items()
        for operation in operations.values()
        if path.startswith("/tickets")
    }
    assert ways == set(WAYS) | {"create_ticket", "list_tickets"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("conditions", CONDITIONS, ids=str)
async def test_a_foreign_ticket_is_as_if_it_were_not_there(
    door: Door, mallory: dict[str, str], ticket: JSON, way: str, conditions: dict[str, str]
) -> None:
    method, path, body = WAYS[way]
    foreign, missing = [
        await door.visitor.request(method, path.format(id=id_), json=body, headers=mallory | conditions)
        for id_ in (ticket["id"], MISSING)
    ]
    assert foreign.status_code == 404
    assert without_occurrence(foreign) == without_occurrence(missing)


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_foreign_is_asked_for_in_the_same_steps_as_what_is_missing(
    door: Door, mallory: dict[str, str], ticket: JSON, way: str, statements: list[str]
) -> None:
    method, path, body = WAYS[way]
    seen = []
    for id_ in (ticket["id"], MISSING):
        statements.clear()
        await door.visitor.request(method, path.format(id=id_), json=body, headers=mallory)
        await asyncio.sleep(0)  # the driver tells of a query after it was answered
        seen.append(list(statements))
    assert seen[0] == seen[1] != []


async def test_a_foreign_ticket_that_is_being_written_keeps_nobody_waiting(
    door: Door, mallory: dict[str, str], ticket: JSON, sql_of_door: asyncpg.Connection
) -> None:
    """Waiting for its lock would tell that it is there."""
    async with sql_of_door.transaction():
        await sql_of_door.execute("SELECT FROM tickets WHERE id = $1 FOR UPDATE", ticket["id"])
        answer = await asyncio.wait_for(
            door.visitor.patch(f"/tickets/{ticket['id']}", json={"subject": "mine"}, headers=mallory), 2
        )
    assert answer.status_code == 404


@pytest.mark.parametrize("path", LISTS)
async def test_no_list_shows_a_foreign_ticket(
    door: Door, alice: dict[str, str], mallory: dict[str, str], ticket: JSON, path: str
) -> None:
    assert ticket["id"] in [item["id"] for item in (await door.visitor.get(path, headers=alice)).json()["items"]]
    assert (await door.visitor.get(path, headers=mallory)).json() == {"items": [], "next_cursor": None}


async def test_a_cursor_leads_to_nothing_that_is_foreign(
    door: Door, agent: dict[str, str], mallory: dict[str, str], ticket: JSON
) -> None:
    await door.visitor.post("/tickets", json=a_ticket(), headers=agent)
    cursor = (await door.visitor.get("/tickets?limit=1", headers=agent)).json()["next_cursor"]
    stolen = await door.visitor.get(f"/tickets?limit=1&cursor={cursor}", headers=mallory)
    assert ticket["subject"] not in stolen.text
    assert stolen.status_code in {200, 422}


@pytest.mark.parametrize("way", ["create_ticket", "create_comment"])
async def test_an_idempotency_key_is_its_owners(
    door: Door, alice: dict[str, str], agent: dict[str, str], ticket: JSON, way: str
) -> None:
    """The same key and the same request of somebody else is another request."""
    if way == "create_ticket":
        path, body, key = "/tickets", a_ticket(email="Alice@Example.com", subject=ticket["subject"]), ticket["subject"]
    else:
        path = f"/tickets/{ticket['id']}/comments"
        body, key = a_comment(email=ALICE, text="unmistakable"), f"/tickets/{ticket['id']}"
    answers = [
        await door.visitor.post(path, json=body, headers=headers | {"Idempotency-Key": key})
        for headers in (alice, agent)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert ["Idempotent-Replayed" in answer.headers for answer in answers] == [True, False]
    assert answers[0].json()["id"] != answers[1].json()["id"]


async def test_a_requester_writes_in_their_own_name(door: Door, alice: dict[str, str], ticket: JSON) -> None:
    for path, body in (
        ("/tickets", a_ticket(email=MALLORY)),
        (f"/tickets/{ticket['id']}/comments", a_comment(email=MALLORY)),
    ):
        answer = await door.visitor.post(path, json=body, headers=alice)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")


async def test_a_requester_replies_and_closes_and_does_not_answer(
    door: Door, agent: dict[str, str], alice: dict[str, str], ticket: JSON
) -> None:
    path = f"/tickets/{ticket['id']}"
    refused = [
        await door.visitor.patch(path, json={"status": "answered"}, headers=alice),
        await door.visitor.post(f"{path}/comments", json=a_comment(email=ALICE, status="answered"), headers=alice),
    ]
    assert [answer.status_code for answer in refused] == [403, 403]
    answered = await door.visitor.patch(path, json={"status": "answered"}, headers=agent)
    assert answered.status_code == 200
    reply = a_comment(email=ALICE.upper(), status="awaiting_reply")
    assert (await door.visitor.post(f"{path}/comments", json=reply, headers=alice)).status_code == 201
    closed = await door.visitor.patch(path, json={"status": "closed"}, headers=alice)
    assert (closed.status_code, closed.json()["status"]) == (200, "closed")
    history = (await door.visitor.get(f"{path}/history", headers=alice)).json()["items"]
    assert [event["actor"] for event in history] == ["key:alice", "key:alice", "key:crm", "key:alice", "key:alice"]


def test_every_statement_that_reads_tickets_checks_their_visibility() -> None:
    """The statements that need not check it are named here, with the reason."""
    reasons = {
        "SELECT_DETAILS": "fills the cache; a requester's lookup reads IS_VISIBLE before",
        "CREATE": "returns the row that it inserted",
    }
    predicate = "lower(tickets.email) = lower("
    checked = 0
    for name, statement in vars(ticket_statements).items():
        if isinstance(statement, Statement) and name not in reasons:
            assert predicate in statement.sql, name
            checked += 1
    assert checked == 4
    assert predicate in str(FILTERS["requester"])
    services = (ROOT / "src" / "services").rglob("*.py")
    reading = re.compile(r"table_of\((Ticket|Comment|TicketEvent|SearchDocument)\)")
    modules = {path.name for path in services if reading.search(path.read_text())}
    # The page shape has the filter; the search builds on it; the counts name no ticket.
    assert modules <= {"statements.py", "search.py", "ticket_counts.py"}


async def test_the_role_is_the_keys(door: Door) -> None:
    for role, email in ((Role.AGENT, None), (Role.REQUESTER, "carol@example.com")):
        headers = await door.let_in(f"carol-{role}", role, email)
        answer = await door.visitor.post("/tickets", json=a_ticket(), headers=headers)
        assert answer.status_code == (201 if role is Role.AGENT else 403)
