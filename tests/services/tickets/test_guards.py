"""The database guards."""

import contextlib

import asyncpg
import httpx2
import pytest

from support.factories import a_comment, open_ticket, ticket_in


@pytest.mark.parametrize(
    "change",
    ["subject = 'other'", "text = 'other'", "email = 'other@example.com'", "updated_at = now()", "comment_count = 9"],
)
async def test_a_closed_ticket_is_not_edited_by_hand(
    client: httpx2.AsyncClient, sql: asyncpg.Connection, change: str
) -> None:
    ticket = await ticket_in(client, "closed")
    with pytest.raises(asyncpg.RestrictViolationError):
        await sql.execute(f"UPDATE tickets SET {change}, version = version + 1 WHERE id = $1", ticket["id"])


async def test_a_closed_ticket_takes_no_comment_by_hand(client: httpx2.AsyncClient, sql: asyncpg.Connection) -> None:
    ticket = await ticket_in(client, "closed")
    with pytest.raises(asyncpg.RestrictViolationError):
        await sql.execute("INSERT INTO comments (ticket_id, email, text) VALUES ($1, 'a@b.de', 'late')", ticket["id"])


@pytest.mark.parametrize("statement", ["UPDATE comments SET text = 'x'", "DELETE FROM comments"])
async def test_the_comments_of_a_closed_ticket_stay(
    client: httpx2.AsyncClient, sql: asyncpg.Connection, statement: str
) -> None:
    ticket = await open_ticket(client)
    await client.post(f"/tickets/{ticket['id']}/comments", json=a_comment(status="closed"))
    with pytest.raises(asyncpg.RestrictViolationError):
        await sql.execute(f"{statement} WHERE ticket_id = $1", ticket["id"])


async def test_a_comment_is_not_moved_to_a_closed_ticket(client: httpx2.AsyncClient, sql: asyncpg.Connection) -> None:
    closed, other = await ticket_in(client, "closed"), await open_ticket(client)
    await client.post(f"/tickets/{other['id']}/comments", json=a_comment())
    with pytest.raises(asyncpg.RestrictViolationError):
        await sql.execute("UPDATE comments SET ticket_id = $1 WHERE ticket_id = $2", closed["id"], other["id"])


@pytest.mark.parametrize("step", [0, 2, -1])
async def test_a_change_must_add_exactly_one_to_the_version(
    client: httpx2.AsyncClient, sql: asyncpg.Connection, step: int
) -> None:
    ticket = await open_ticket(client)
    with pytest.raises(asyncpg.RestrictViolationError):
        await sql.execute(f"UPDATE tickets SET subject = 'x', version = version + {step} WHERE id = $1", ticket["id"])


@pytest.mark.parametrize("statement", ["UPDATE ticket_events SET actor = 'x'", "DELETE FROM ticket_events"])
async def test_history_is_not_rewritten(client: httpx2.AsyncClient, sql: asyncpg.Connection, statement: str) -> None:
    ticket = await open_ticket(client)
    with pytest.raises(asyncpg.RestrictViolationError):
        await sql.execute(f"{statement} WHERE ticket_id = $1", ticket["id"])


@pytest.mark.parametrize(
    ("purpose", "change"),
    [
        ("merge", "updated_at = now(), version = version + 1"),
        ("remind", "updated_at = now(), version = version + 1"),
        ("erasure", "subject = 'erased', text = 'erased', email = 'erased@example.com', version = version + 1"),
        ("backfill", "comment_count = comment_count + 1"),
    ],
)
async def test_a_purpose_permits_its_changes_of_a_closed_ticket_and_ends_with_the_transaction(
    client: httpx2.AsyncClient, sql: asyncpg.Connection, purpose: str, change: str
) -> None:
    ticket = await ticket_in(client, "closed")
    statement = f"UPDATE tickets SET {change} WHERE id = $1"
    assert await carry_out_for(sql, purpose, statement, ticket["id"]) == "UPDATE 1"
    with pytest.raises(asyncpg.RestrictViolationError):
        await sql.execute(statement, ticket["id"])


@pytest.mark.parametrize(
    ("purpose", "change"),
    [
        ("merge", "subject = 'x', version = version + 1"),
        ("remind", "subject = 'x', version = version + 1"),
        ("remind", "updated_at = now()"),
        ("erasure", "comment_count = 9, version = version + 1"),
        ("erasure", "status = 'open', closed_at = NULL, version = version + 1"),
        ("erasure", "subject = 'x'"),
        ("merge", "updated_at = now()"),
        ("backfill", "status = 'open', closed_at = NULL"),
        ("backfill", "version = version + 1"),
        ("backfill", "version = version - 1"),
        ("unknown", "subject = 'x', version = version + 1"),
        ("", "subject = 'x', version = version + 1"),
    ],
)
async def test_a_purpose_permits_nothing_else(
    client: httpx2.AsyncClient, sql: asyncpg.Connection, purpose: str, change: str
) -> None:
    ticket_id = (await ticket_in(client, "closed"))["id"]
    with pytest.raises(asyncpg.RestrictViolationError):
        await carry_out_for(sql, purpose, f"UPDATE tickets SET {change} WHERE id = $1", ticket_id)


@pytest.mark.parametrize(
    ("purpose", "statement", "is_permitted"),
    [
        ("erasure", "UPDATE comments SET text = 'erased', email = 'erased@example.com' WHERE ticket_id = $1", True),
        ("erasure", "UPDATE ticket_events SET data = '{}' WHERE ticket_id = $1", True),
        ("erasure", "UPDATE ticket_events SET actor = 'x' WHERE ticket_id = $1", False),
        ("erasure", "DELETE FROM ticket_events WHERE ticket_id = $1", False),
        ("erasure", "DELETE FROM comments WHERE ticket_id = $1", False),
        ("erasure", "INSERT INTO comments (ticket_id, email, text) VALUES ($1, 'a@b.de', 'late')", False),
        ("backfill", "UPDATE ticket_events SET audience = 'internal' WHERE ticket_id = $1", True),
        ("backfill", "UPDATE ticket_events SET data = '{}' WHERE ticket_id = $1", False),
        ("backfill", "UPDATE comments SET ticket_id = ticket_id + 1 WHERE ticket_id = $1", False),
        ("merge", "UPDATE comments SET text = 'x' WHERE ticket_id = $1", False),
        ("merge", "UPDATE ticket_events SET data = '{}' WHERE ticket_id = $1", False),
    ],
)
async def test_a_purpose_permits_certain_changes_of_comments_and_events(
    client: httpx2.AsyncClient, sql: asyncpg.Connection, purpose: str, statement: str, *, is_permitted: bool
) -> None:
    ticket = await open_ticket(client)
    await client.post(f"/tickets/{ticket['id']}/comments", json=a_comment(status="closed"))
    refusal = contextlib.nullcontext() if is_permitted else pytest.raises(asyncpg.RestrictViolationError)
    with refusal:
        await carry_out_for(sql, purpose, statement, ticket["id"])


async def carry_out_for(sql: asyncpg.Connection, purpose: str, statement: str, ticket_id: int) -> str:
    """Carry out a statement in a transaction that names its purpose, and return what PostgreSQL says of it."""
    async with sql.transaction():
        await sql.execute(f"SET LOCAL tickets.change_purpose = '{purpose}'")
        done: str = await sql.execute(statement, ticket_id)
    return done
