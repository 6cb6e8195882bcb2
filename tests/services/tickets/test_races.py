"""Concurrent requests on one ticket: of two conflicting requests exactly one succeeds."""

import asyncio
import json
from itertools import pairwise

import asyncpg
import httpx2

from models import TicketStatus
from services.tickets.ticket_status import INITIAL, TRANSITIONS
from support.factories import a_comment, open_ticket, ticket_in

TICKETS = 100


async def test_nothing_ever_stands_after_closed(client: httpx2.AsyncClient, sql: asyncpg.Connection) -> None:
    # No more at once than there are connections to wait for in a pool's patience, also on a slow machine.
    at_once = asyncio.Semaphore(10)

    async def race() -> tuple[int, list[int]]:
        async with at_once:
            ticket = await ticket_in(client, "answered")
            path = f"/tickets/{ticket['id']}"
            answers = await asyncio.gather(
                client.patch(path, json={"status": "closed"}),
                client.post(f"{path}/comments", json=a_comment()),
                client.patch(path, json={"status": "awaiting_reply"}),
                client.post(f"{path}/comments", json=a_comment(status="closed")),
            )
            return ticket["id"], [answer.status_code for answer in answers]

    outcomes = dict(await asyncio.gather(*(race() for _ in range(TICKETS))))

    for ticket_id, (close, comment, move, close_by_reply) in outcomes.items():
        assert {close, move} <= {200, 409}
        assert {comment, close_by_reply} <= {201, 409}
        assert sorted((close == 200, close_by_reply == 201)) == [False, True]
        statuses = await status_path(sql, ticket_id)
        assert statuses[-1] == "closed"
        assert all(target in TRANSITIONS[source] for source, target in pairwise(statuses))
        row = await sql.fetchrow(
            """
            SELECT version, comment_count,
                (SELECT count(*) FROM comments WHERE ticket_id = tickets.id) AS comments,
                (SELECT count(*) FROM ticket_events WHERE ticket_id = tickets.id) AS events
            FROM tickets WHERE id = $1
            """,
            ticket_id,
        )
        assert row is not None
        acknowledged = [close == 200, comment == 201, move == 200, close_by_reply == 201]
        assert row["version"] == row["events"] == 2 + sum(acknowledged)
        assert row["comment_count"] == row["comments"] == (comment == 201) + (close_by_reply == 201)


async def test_of_two_edits_of_one_version_one_wins(client: httpx2.AsyncClient) -> None:
    async def race() -> list[int]:
        ticket = await open_ticket(client)
        path, headers = f"/tickets/{ticket['id']}", {"If-Match": '"1"'}
        edits = (client.patch(path, json={"subject": subject}, headers=headers) for subject in ("mine", "yours"))
        return sorted([answer.status_code for answer in await asyncio.gather(*edits)])

    assert await asyncio.gather(*(race() for _ in range(20))) == [[200, 412]] * 20


async def test_comments_made_at_once_are_all_kept(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    path = f"/tickets/{ticket['id']}/comments"
    answers = await asyncio.gather(*(client.post(path, json=a_comment(text=str(number))) for number in range(30)))
    assert sorted(answer.headers["ETag"] for answer in answers) == sorted(f'"{version}"' for version in range(2, 32))
    kept = (await client.get(path)).json()["items"]
    assert {comment["id"] for comment in kept} == {answer.json()["id"] for answer in answers}


async def status_path(sql: asyncpg.Connection, ticket_id: int) -> list[TicketStatus]:
    """Return every status the ticket ever had, from its history."""
    events = await sql.fetch("SELECT data FROM ticket_events WHERE ticket_id = $1 ORDER BY version", ticket_id)
    changes = [json.loads(event["data"]).get("status") for event in events]
    return [INITIAL, *(TicketStatus(change["to"]) for change in changes if change)]
