"""The one write path: several tickets at once, audiences, NULL, and queueing."""

import asyncio
import json
import secrets

import asyncpg
import httpx2
import pytest

from core.errors import IllegalTransition, RequestInProgress, TicketClosed, TicketNotFound, VersionMismatch
from core.settings import Settings
from db.postgres.database import Database
from models import Role, TicketStatus
from schemas.lists import Paging
from schemas.tickets import CommentCreate
from services.access.principal import Principal
from services.fields.definitions import FieldDefinitions
from services.idempotency import IdempotentRequest, Replayed, RetryKey
from services.tickets.change_purpose import ChangePurpose
from services.tickets.changes import TicketChanges
from services.tickets.edited_ticket import EditedTicket
from services.tickets.lists import TicketLists
from services.tickets.save_statement import save_statement
from services.write_result import WriteResult
from support.factories import a_comment, a_new_ticket, open_ticket, ticket_changes, ticket_in

AGENT = Principal("key:agent", Role.AGENT)
ALICE = Principal("key:alice", Role.REQUESTER, "alice@example.com")


def a_request(operation: str, body: CommentCreate) -> IdempotentRequest:
    def result_of(tickets: tuple[EditedTicket, ...]) -> WriteResult:
        return WriteResult(b"{}", tickets[0].id, tickets[0].saved.version)

    key = RetryKey(secrets.token_hex(8), json.dumps(a_comment()).encode())
    request = IdempotentRequest.under(key, AGENT.id, operation, body, result_of)
    assert request is not None
    return request


async def events_of(sql: asyncpg.Connection, ticket_id: int) -> list[asyncpg.Record]:
    return await sql.fetch("SELECT * FROM ticket_events WHERE ticket_id = $1 ORDER BY version", ticket_id)


async def test_one_change_of_several_tickets_gives_each_one_version_and_one_event(
    client: httpx2.AsyncClient, changes: TicketChanges, sql: asyncpg.Connection
) -> None:
    ids = [(await open_ticket(client))["id"] for _ in range(3)]
    async with changes.changing(reversed(ids), AGENT) as tickets:
        assert [ticket.id for ticket in tickets] == ids
        for ticket in tickets:
            ticket.edit("subject", "changed together")
            ticket.move_to(TicketStatus.ANSWERED)
    assert [ticket.saved.version for ticket in tickets] == [2, 2, 2]
    for ticket_id in ids:
        _, event = await events_of(sql, ticket_id)
        assert (event["version"], event["actor"], event["audience"]) == (2, "key:agent", "public")
        assert json.loads(event["data"])["status"] == {"from": "open", "to": "answered"}
        assert (await client.get(f"/tickets/{ticket_id}")).json()["subject"] == "changed together"


async def test_a_ticket_that_is_not_changed_keeps_its_version(
    client: httpx2.AsyncClient, changes: TicketChanges, sql: asyncpg.Connection
) -> None:
    ids = [(await open_ticket(client))["id"] for _ in range(2)]
    async with changes.changing(ids, AGENT) as (first, second):
        first.edit("subject", "other")
        first.edit("subject", "The printer is on fire")
        second.edit("subject", "other")
    assert [len(await events_of(sql, ticket_id)) for ticket_id in ids] == [1, 2]


async def test_an_error_in_the_block_rolls_back_every_ticket(
    client: httpx2.AsyncClient, changes: TicketChanges, sql: asyncpg.Connection
) -> None:
    ids = [(await open_ticket(client))["id"] for _ in range(2)]

    async def change() -> None:
        async with changes.changing(ids, AGENT) as (first, second):
            first.edit("subject", "other")
            second.move_to(TicketStatus.OPEN)

    with pytest.raises(IllegalTransition):
        await change()
    assert [len(await events_of(sql, ticket_id)) for ticket_id in ids] == [1, 1]


async def test_changes_of_the_same_tickets_in_any_order_never_deadlock(
    client: httpx2.AsyncClient, changes: TicketChanges, settings: Settings
) -> None:
    ids = [(await open_ticket(client))["id"] for _ in range(2)]
    assert settings.database_dsn is not None
    other_process = Database(settings.database_dsn.get_secret_value(), pool_size=2)
    others = ticket_changes(other_process, changes._cache)  # noqa: SLF001 - two processes share one cache

    async def change(changes: TicketChanges, ids: list[int], number: int) -> None:
        async with changes.changing(ids, AGENT) as tickets:
            for ticket in tickets:
                ticket.edit("subject", f"change {number}")

    try:
        await asyncio.gather(
            *(change(changes, ids, number) for number in range(20)),
            *(change(others, ids[::-1], number) for number in range(20, 40)),
        )
    finally:
        await other_process.close()
    for ticket_id in ids:
        assert (await client.get(f"/tickets/{ticket_id}")).json()["version"] == 41


async def test_each_ticket_is_checked_against_its_expected_version(
    client: httpx2.AsyncClient, changes: TicketChanges
) -> None:
    first, second = [(await open_ticket(client))["id"] for _ in range(2)]
    with pytest.raises(VersionMismatch):
        async with changes.changing([first, second], AGENT, {first: {1}, second: {2}}):
            pytest.fail("a ticket of another version was handed out")
    async with changes.changing([first, second], AGENT, {second: {1, 5}}) as tickets:
        assert len(tickets) == 2


async def test_an_invisible_ticket_is_not_found_among_visible_ones(
    client: httpx2.AsyncClient, changes: TicketChanges
) -> None:
    own = (await open_ticket(client))["id"]
    foreign = (await open_ticket(client, email="bob@example.com"))["id"]
    with pytest.raises(TicketNotFound):
        async with changes.changing([own, foreign], ALICE):
            pytest.fail("a foreign ticket was handed out")


async def test_a_requester_sees_only_the_public_events_of_a_ticket(
    client: httpx2.AsyncClient, changes: TicketChanges, sql: asyncpg.Connection, database: Database
) -> None:
    ticket_id = (await open_ticket(client))["id"]
    async with changes.changing([ticket_id], AGENT) as (ticket,):
        ticket.edit("tags", ["for-agents"])
    async with changes.changing([ticket_id], AGENT) as (ticket,):
        ticket.edit("subject", "for all")
    assert [event["audience"] for event in await events_of(sql, ticket_id)] == ["public", "internal", "public"]
    lists = TicketLists(database, FieldDefinitions(database))
    for principal, versions in ((AGENT, [1, 2, 3]), (ALICE, [1, 3])):
        page = await lists.history(ticket_id, Paging(), principal)
        assert [event.version for event in page.items] == versions


async def test_a_change_reaches_the_cache_before_it_is_acknowledged(
    client: httpx2.AsyncClient, changes: TicketChanges
) -> None:
    ids = [(await open_ticket(client))["id"] for _ in range(2)]
    for ticket_id in ids:
        await client.get(f"/tickets/{ticket_id}")
        assert (await client.get(f"/tickets/{ticket_id}")).headers["Cache-Status"] == "tickets; hit"
    async with changes.changing(ids, AGENT) as tickets:
        for ticket in tickets:
            ticket.edit("subject", "new")
    for ticket_id in ids:
        assert (await client.get(f"/tickets/{ticket_id}")).json()["subject"] == "new"


async def test_a_request_under_a_key_changes_several_tickets_once(
    client: httpx2.AsyncClient, changes: TicketChanges
) -> None:
    ids = [(await open_ticket(client))["id"] for _ in range(2)]
    body = CommentCreate(**a_comment())
    request = a_request("bulk", body)

    async def comment() -> None:
        async with changes.changing(ids, AGENT, request=request) as tickets:
            for ticket in tickets:
                ticket.add_comment(body)

    await comment()
    with pytest.raises(Replayed) as replayed:
        await comment()
    assert replayed.value.result == WriteResult(b"{}", ids[0], 2)
    assert [(await client.get(f"/tickets/{ticket_id}")).json()["comment_count"] for ticket_id in ids] == [1, 1]


async def test_a_copy_of_a_request_is_refused_before_it_waits(
    client: httpx2.AsyncClient, changes: TicketChanges
) -> None:
    ticket_id = (await open_ticket(client))["id"]
    body = CommentCreate(**a_comment())
    request = a_request("comment", body)
    async with changes.changing([ticket_id], AGENT, request=request) as (ticket,):
        ticket.add_comment(body)
        with pytest.raises(RequestInProgress):
            async with changes.changing([ticket_id], AGENT, request=request):
                pytest.fail("a copy was carried out")


async def test_writers_of_a_edited_ticket_leave_the_pool_its_connections(
    client: httpx2.AsyncClient, changes: TicketChanges, database: Database, sql: asyncpg.Connection
) -> None:
    locked, other = [(await open_ticket(client))["id"] for _ in range(2)]

    async def edit(ticket_id: int) -> None:
        async with changes.changing([ticket_id], AGENT) as (ticket,):
            ticket.edit("subject", secrets.token_hex(4))

    async with sql.transaction():
        await sql.execute("SELECT FROM tickets WHERE id = $1 FOR UPDATE", locked)
        waiting = [asyncio.create_task(edit(locked)) for _ in range(10)]
        await asyncio.sleep(0.2)
        assert database.pools["main"].in_use == 1
        assert database.pools["main"].waiting == 0
        await asyncio.wait_for(edit(other), 2)
    await asyncio.gather(*waiting)
    assert (await client.get(f"/tickets/{locked}")).json()["version"] == 11


async def test_a_field_is_set_to_the_given_value() -> None:
    """The statement names the changed fields only, so that a parameter can be NULL."""
    statement = save_statement(frozenset({"subject"}), comment_in=None)
    assert "coalesce" not in statement.sql.lower()
    assert {"new_subject", "new_text"} & set(statement.names) == {"new_subject"}


async def test_a_change_of_a_locked_ticket_waits_for_the_lock(
    client: httpx2.AsyncClient, changes: TicketChanges, sql: asyncpg.Connection
) -> None:
    ticket_id = (await open_ticket(client))["id"]
    subjects: list[str] = []

    def decide(ticket: EditedTicket) -> None:
        subjects.append(f"attempt {len(subjects) + 1}")
        ticket.edit("subject", subjects[-1])

    async with sql.transaction():
        await sql.execute("SELECT FROM tickets WHERE id = $1 FOR UPDATE", ticket_id)
        changing = asyncio.create_task(changes.change(ticket_id, AGENT, decide))
        await asyncio.sleep(0.3)
        assert not changing.done()
    changed = await changing
    assert (changed.saved.version, changed.saved.subject) == (2, "attempt 2")
    assert len(await events_of(sql, ticket_id)) == 2


async def test_a_field_that_may_not_be_edited_is_refused(client: httpx2.AsyncClient, changes: TicketChanges) -> None:
    ticket_id = (await open_ticket(client))["id"]
    with pytest.raises(ValueError, match="version"):
        async with changes.changing([ticket_id], AGENT) as (ticket,):
            ticket.edit("version", 7)


async def test_a_closed_ticket_is_changed_only_for_a_purpose(
    client: httpx2.AsyncClient, changes: TicketChanges, sql: asyncpg.Connection
) -> None:
    ticket_id = (await ticket_in(client, "closed"))["id"]
    with pytest.raises(TicketClosed):
        async with changes.changing([ticket_id], AGENT) as (ticket,):
            ticket.edit("subject", "x")
    async with changes.changing([ticket_id], AGENT, purpose=ChangePurpose.ERASURE) as (ticket,):
        ticket.edit("subject", "erased")
        ticket.edit("email", "erased@example.com")
        with pytest.raises(ValueError, match="status"):
            ticket.edit("status", "open")
        with pytest.raises(TicketClosed):
            ticket.add_comment(CommentCreate(**a_comment()))
    *_, event = await events_of(sql, ticket_id)
    assert json.loads(event["data"])["subject"] == {"from": None, "to": "erased"}
    shown = (await client.get(f"/tickets/{ticket_id}")).json()
    assert (shown["subject"], shown["status"]) == ("erased", "closed")
    assert shown["version"] == len(await events_of(sql, ticket_id))


async def test_a_commit_wakes_the_waiting_tasks(client: httpx2.AsyncClient, changes: TicketChanges) -> None:
    ticket_id = (await open_ticket(client))["id"]
    woken = asyncio.create_task(changes.committed.wait(10))
    await asyncio.sleep(0)
    async with changes.changing([ticket_id], AGENT) as (ticket,):
        ticket.edit("subject", "x")
    assert await woken
    assert not await changes.committed.wait(0.01)
    woken = asyncio.create_task(changes.committed.wait(10))
    await asyncio.sleep(0)
    await changes.create(a_new_ticket(), AGENT)
    assert await woken


async def test_one_change_makes_one_transition(client: httpx2.AsyncClient, changes: TicketChanges) -> None:
    ticket_id = (await open_ticket(client))["id"]
    async with changes.changing([ticket_id], AGENT) as (ticket,):
        ticket.move_to(TicketStatus.ANSWERED)
        with pytest.raises(ValueError, match="one transition"):
            ticket.move_to(TicketStatus.AWAITING_REPLY)
    assert (await client.get(f"/tickets/{ticket_id}")).json()["status"] == "answered"
