"""What PostgreSQL itself refuses, whoever asks."""

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
