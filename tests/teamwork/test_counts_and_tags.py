"""The counts of lists, compared with a plain model over random tickets; the list of the tags, and their renaming."""

import secrets
from collections import Counter

import pytest

from support.factories import a_ticket
from teamwork.random_tickets import TAGS, Desk, walk


@pytest.mark.parametrize("by", ["status", "assignee", "group", "priority", "tag"])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "&status=open",
        "&priority=high&tag=red",
        "&custom.colors=pink",
        "&snoozed=false",
        "&snoozed=true",
        "&due_before={due}",
        "&sla=breached",
    ],
)
async def test_counts_are_exact(desk: Desk, by: str, query: str) -> None:
    admin = desk.directory.admin
    counted = (await admin.get(f"/tickets/counts?by={by}&tag={desk.mark}{query.format(due=desk.due)}")).json()
    ids = set(await walk(admin, f"tag={desk.mark}{query.format(due=desk.due)}"))
    tickets = [ticket for ticket in desk.tickets if ticket["id"] in ids]
    field = {"assignee": "assignee_id", "group": "group_id", "tag": "tags"}.get(by, by)
    values = [value for ticket in tickets for value in (ticket[field] if by == "tag" else [ticket[field]])]
    assert (counted["by"], counted["truncated"]) == (by, False)
    assert {each["value"]: each["count"] for each in counted["counts"]} == Counter(values)


async def test_tags_are_listed_with_their_numbers(desk: Desk) -> None:
    admin = desk.directory.admin
    listed = (await admin.get(f"/tags?prefix={desk.mark[:8]}")).json()
    assert listed["items"] == [{"tag": desk.mark, "count": 60}]
    every, cursor = [], ""
    while cursor is not None:
        page = (await admin.get(f"/tags?limit=2{cursor and f'&cursor={cursor}'}")).json()
        every += [each["tag"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert every == sorted(set(every))
    assert {*TAGS, desk.mark} <= set(every)
    assert (await desk.directory.requester.get("/tags")).status_code == 403


async def test_a_tag_is_renamed_on_closed_tickets_too(desk: Desk) -> None:
    admin, old, new = desk.directory.admin, secrets.token_hex(6), secrets.token_hex(6)
    tickets = [await desk.directory.created("/tickets", a_ticket(tags=[old])) for _ in range(60)]
    await admin.put(f"/tickets/{tickets[1]['id']}/tags/{new}")
    await admin.patch(f"/tickets/{tickets[0]['id']}", json={"status": "closed"})
    renamed = await admin.post("/tags/rename", json={"from": old, "to": new})
    assert (renamed.status_code, renamed.json()) == (200, {"renamed": 60, "is_complete": True})
    for ticket in tickets:
        found = (await admin.get(f"/tickets/{ticket['id']}")).json()
        assert found["tags"] == [new]
    assert (await admin.post("/tags/rename", json={"from": old, "to": new})).json()["renamed"] == 0
    assert (await desk.directory.agent.post("/tags/rename", json={"from": old, "to": new})).status_code == 403
