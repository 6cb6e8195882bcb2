"""Dry runs of rules."""

from rules.conftest import Ruled, a_rule
from support.factories import JSON


async def tried(ruled: Ruled, rule: JSON, tickets: int = 3) -> JSON:
    response = await ruled.admin.post("/rules/dry-run", json={"rule": rule, "tickets": tickets})
    assert response.status_code == 200, response.text
    result: JSON = response.json()
    return result


async def test_a_dry_run_says_what_a_rule_would_do_and_writes_nothing(ruled: Ruled) -> None:
    group = await ruled.group()
    other = await ruled.ticket(subject="A scanner")
    ticket = await ruled.ticket(subject="FIRE", tags=["a"])
    same = await ruled.ticket(subject="fire", priority="high", assignee_id="key:agent", tags=["a", "hot"])
    actions = {
        "set": {"priority": "high"},
        "add_tags": ["hot"],
        "assign": {"group_id": group, "by": "least_loaded"},
        "note": "Run",
    }
    result = await tried(ruled, a_rule(actions, match={"words": ["fire"]}))
    assert (result["examined"], result["matched"]) == (3, 2)
    assert result["items"] == [
        {"ticket_id": same["id"], "changes": {"note": "Run"}},
        {
            "ticket_id": ticket["id"],
            "changes": {
                "priority": {"from": "normal", "to": "high"},
                "group_id": {"from": None, "to": group},
                "tags": {"from": ["a"], "to": ["a", "hot"]},
                "assign": actions["assign"],
                "note": "Run",
            },
        },
    ]
    for each in (other, ticket, same):
        assert (await ruled.agent.get(f"/tickets/{each['id']}")).json()["version"] == 1
    assert (await ruled.agent.get("/rules")).json() == {"items": []}


async def test_a_rule_for_new_tickets_sees_each_as_open(ruled: Ruled) -> None:
    ticket = await ruled.ticket()
    await ruled.change(ticket, status="answered")
    for events, status, matched in (
        (["ticket.created"], "open", 1),
        (["ticket.transitioned"], "open", 0),
        (["ticket.transitioned"], "answered", 1),
    ):
        rule = a_rule({"add_tags": ["x"]}, *events, match={"status": [status]})
        assert (await tried(ruled, rule, tickets=1))["matched"] == matched, (events, status)


async def test_a_dry_run_shows_fifty_tickets_at_most(ruled: Ruled) -> None:
    for _ in range(52):
        await ruled.ticket(subject="many")
    result = await tried(ruled, a_rule({"add_tags": ["x"]}, match={"words": ["many"]}), tickets=1000)
    assert result["matched"] == 52
    assert result["examined"] >= 52
    assert len(result["items"]) == 50
