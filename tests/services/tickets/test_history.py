import json

import asyncpg
import httpx2

from support.factories import a_comment, open_ticket, ticket_in


async def test_every_version_has_exactly_one_event(client: httpx2.AsyncClient, sql: asyncpg.Connection) -> None:
    ticket = await open_ticket(client)
    path = f"/tickets/{ticket['id']}"
    await client.patch(path, json={"subject": "new", "text": "newer"})
    comment = (await client.post(f"{path}/comments", json=a_comment(status="answered"))).json()
    await client.post(f"{path}/comments", json=a_comment(status="open"))
    await client.patch(path, json={"subject": "new"})
    await client.patch(path, json={"status": "closed"})
    events = await sql.fetch(
        "SELECT version, type, data - 'auto_close_at' AS data FROM ticket_events WHERE ticket_id = $1 ORDER BY version",
        ticket["id"],
    )
    assert [(event["version"], event["type"], json.loads(event["data"])) for event in events] == [
        (1, "created", {}),
        (
            2,
            "changed",
            {
                "subject": {"from": ticket["subject"], "to": "new"},
                "text": {"from": ticket["text"], "to": "newer"},
            },
        ),
        (3, "commented", {"comment_id": comment["id"], "status": {"from": "open", "to": "answered"}}),
        (4, "changed", {"status": {"from": "answered", "to": "closed"}}),
    ]


async def test_times_follow_the_versions(client: httpx2.AsyncClient, sql: asyncpg.Connection) -> None:
    ticket = await ticket_in(client, "awaiting_reply")
    times = [
        event["created_at"]
        for event in await sql.fetch(
            "SELECT created_at FROM ticket_events WHERE ticket_id = $1 ORDER BY version", ticket["id"]
        )
    ]
    assert times == sorted(set(times))
    row = await sql.fetchrow("SELECT created_at, updated_at FROM tickets WHERE id = $1", ticket["id"])
    assert row is not None
    assert (row["created_at"], row["updated_at"]) == (times[0], times[-1])
