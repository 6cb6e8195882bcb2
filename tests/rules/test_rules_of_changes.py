"""What rules do to changes of tickets."""

import asyncio
import secrets
from itertools import pairwise

import pytest

from directory.conftest import ALICE
from rules.conftest import Ruled
from support.factories import JSON, a_comment, a_ticket

TAG: JSON = {"add_tags": ["ruled"]}
NOTE: JSON = {"note": "Look at it."}


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("ticket.changed", {"subject": "Other"}),
        ("ticket.changed", {"priority": "high"}),
        ("ticket.transitioned", {"status": "answered"}),
        ("ticket.assigned", {"assignee_id": "key:agent"}),
        ("ticket.tagged", {"tags": ["x"]}),
    ],
)
async def test_a_rule_applies_to_changes_of_its_types(ruled: Ruled, event: str, fields: JSON) -> None:
    ticket = await ruled.ticket()
    rule = await ruled.rule(TAG, event)
    changed = await ruled.change(ticket, **fields)
    assert (changed["version"], "ruled" in changed["tags"]) == (2, True)
    _, last = await ruled.history(ticket)
    assert last["data"]["applied_rules"] == [rule["id"]]
    assert (last["type"], last["actor"]) == ("changed", "key:agent")
    assert set(last["data"]) >= {*fields, "tags", "applied_rules"}


async def test_a_change_of_other_types_triggers_no_rule(ruled: Ruled) -> None:
    ticket = await ruled.ticket()
    await ruled.rule(TAG, "ticket.created", "ticket.transitioned", "ticket.assigned", "ticket.tagged")
    assert (await ruled.change(ticket, subject="Other", priority="high"))["tags"] == []
    same = await ruled.change(ticket, subject="Other")
    assert (same["version"], same["tags"]) == (2, [])


async def test_a_change_may_be_of_several_types(ruled: Ruled) -> None:
    ticket = await ruled.ticket()
    rules = [
        await ruled.rule({"add_tags": [f"t{n}"]}, event)
        for n, event in enumerate(("ticket.assigned", "ticket.transitioned"))
    ]
    changed = await ruled.change(ticket, status="answered", assignee_id="key:agent")
    assert (changed["tags"], changed["version"]) == (["t0", "t1"], 2)
    assert (await ruled.history(ticket))[1]["data"]["applied_rules"] == [rule["id"] for rule in rules]


async def test_a_comment_alone_triggers_no_rule_and_one_with_a_transition_does(ruled: Ruled) -> None:
    ticket = await ruled.ticket()
    rule = await ruled.rule(TAG | NOTE, "ticket.changed", "ticket.transitioned")
    path = f"/tickets/{ticket['id']}/comments"
    assert (await ruled.agent.post(path, json=a_comment())).headers["ETag"] == '"2"'
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    sent = a_comment(text="Done", status="answered")
    first, again = [await ruled.agent.post(path, json=sent, headers=headers) for _ in range(2)]
    assert (first.status_code, first.json()["text"], first.headers["ETag"]) == (201, "Done", '"4"')
    assert (again.content, again.headers["ETag"]) == (first.content, '"4"')
    *_, commented, noted = await ruled.history(ticket)
    assert (commented["data"]["comment_id"], commented["type"]) == (first.json()["id"], "commented")
    assert commented["data"]["applied_rules"] == noted["data"]["applied_rules"] == [rule["id"]]
    (note,) = await ruled.notes(ticket)
    assert (noted["type"], noted["data"]["comment_id"]) == ("noted", note["id"])


async def test_a_rule_sees_the_ticket_after_the_change(ruled: Ruled) -> None:
    ticket = await ruled.ticket()
    await ruled.rule(TAG, "ticket.changed", match={"words": ["flood"], "status": ["open"], "priority": ["urgent"]})
    assert (await ruled.change(ticket, subject="A flood"))["tags"] == []
    assert (await ruled.change(ticket, priority="urgent"))["tags"] == ["ruled"]


async def test_set_overrides_what_the_request_sets(ruled: Ruled) -> None:
    ticket = await ruled.ticket()
    await ruled.rule({"set": {"priority": "normal"}}, "ticket.changed")
    assert (await ruled.change(ticket, priority="urgent"))["priority"] == "normal"


async def test_a_rule_sets_custom_fields_of_a_ticket(ruled: Ruled) -> None:
    key = f"f{secrets.token_hex(6)}"
    await ruled.directory.created(
        "/fields", {"key": key, "label": "Floor", "type": "number", "visible_to_requester": True}
    )
    ticket = await ruled.ticket(email=ALICE)
    await ruled.rule({"set": {"custom": {key: 3}}}, "ticket.changed")
    assert (await ruled.change(ticket, subject="Other"))["custom"] == {key: 3}
    *_, last = await ruled.history(ticket, ruled.directory.requester)
    assert last["data"] == {
        "subject": {"from": "The printer is on fire", "to": "Other"},
        "custom": {key: {"from": None, "to": 3}},
    }


async def test_a_rule_records_only_what_differs_from_the_version_before(ruled: Ruled) -> None:
    size, floor = f"f{secrets.token_hex(6)}", f"f{secrets.token_hex(6)}"
    for key in (size, floor):
        await ruled.directory.created("/fields", {"key": key, "label": "Number", "type": "number"})
    ticket = await ruled.ticket(custom={size: 1, floor: 1})
    rule = await ruled.rule({"set": {"custom": {size: 3, floor: 1}}}, "ticket.changed")
    assert (await ruled.change(ticket, custom={size: 2, floor: 2}))["custom"] == {size: 3, floor: 1}
    *_, last = await ruled.history(ticket)
    assert last["data"] == {"custom": {size: {"from": 1, "to": 3}}, "applied_rules": [rule["id"]]}
    changed = await ruled.change(ticket, custom={size: 4}, subject="Other")
    assert changed["custom"] == {size: 3, floor: 1}
    *_, last = await ruled.history(ticket)
    assert set(last["data"]) == {"subject", "applied_rules"}


async def test_a_change_with_a_note_depends_on_the_version_of_before(ruled: Ruled) -> None:
    ticket = await ruled.ticket()
    await ruled.rule(NOTE, "ticket.changed")
    path = f"/tickets/{ticket['id']}"
    changed = await ruled.agent.patch(path, json={"subject": "Other"}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["ETag"], changed.json()["note_count"]) == (200, '"3"', 1)
    for stale in ('"1"', '"2"'):
        refused = await ruled.agent.patch(path, json={"subject": "Third"}, headers={"If-Match": stale})
        assert (refused.status_code, refused.headers["ETag"]) == (412, '"3"')
    assert [event["type"] for event in await ruled.history(ticket)] == ["created", "changed", "noted"]


async def test_a_lookup_after_the_response_shows_the_last_version(ruled: Ruled) -> None:
    ticket = await ruled.ticket()
    await ruled.rule(NOTE, "ticket.changed")
    path = f"/tickets/{ticket['id']}"
    for number in range(5):
        for _ in range(2):
            await ruled.agent.get(path)
        assert (await ruled.agent.get(path)).headers["Cache-Status"] == "tickets; hit"
        version = (await ruled.change(ticket, subject=f"Change {number}"))["version"]
        assert version == 3 + 2 * number
        looked_up = [await ruled.agent.get(path) for _ in range(2)]
        assert [response.json()["version"] for response in looked_up] == [version, version]
        assert [len(response.json()["comments"]) for response in looked_up] == [number + 1] * 2
        assert looked_up[1].headers["Cache-Status"] == "tickets; hit"


async def test_a_ticket_that_a_change_closes_gets_no_note(ruled: Ruled) -> None:
    ticket = await ruled.ticket()
    await ruled.rule(NOTE, "ticket.transitioned")
    rule = await ruled.rule(TAG | NOTE, "ticket.transitioned")
    closed = await ruled.change(ticket, status="closed")
    assert (closed["status"], closed["version"], closed["tags"], closed["note_count"]) == ("closed", 2, ["ruled"], 0)
    assert (await ruled.history(ticket))[1]["data"]["applied_rules"] == [rule["id"]]


async def test_closed_tickets_are_never_touched(ruled: Ruled) -> None:
    closed, other = await ruled.change(await ruled.ticket(tags=["old"]), status="closed"), await ruled.ticket()
    await ruled.rule(TAG | NOTE, "ticket.changed", "ticket.tagged", "ticket.transitioned")
    assert (await ruled.agent.put(f"/tickets/{closed['id']}/links/blocks/{other['id']}")).is_success
    assert (await ruled.admin.post("/tags/rename", json={"from": "old", "to": "new"})).is_success
    shown = (await ruled.agent.get(f"/tickets/{closed['id']}")).json()
    assert (shown["tags"], shown["version"], shown["note_count"]) == (["new"], 4, 0)


async def test_changes_of_several_tickets_trigger_no_rules(ruled: Ruled) -> None:
    (person,) = await ruled.people(1)
    one, two, renamed = await ruled.ticket(assignee_id=person), await ruled.ticket(), await ruled.ticket(tags=["was"])
    await ruled.rule(TAG, "ticket.assigned", "ticket.transitioned", "ticket.tagged", "ticket.changed")
    assert (await ruled.admin.post(f"/people/{person}/hand-over", json={"assignee_id": None})).is_success
    assert (await ruled.agent.put(f"/tickets/{one['id']}/links/blocks/{two['id']}")).is_success
    assert (await ruled.admin.post("/tags/rename", json={"from": "was", "to": "is"})).is_success
    assert (await ruled.agent.post(f"/tickets/{one['id']}/merge", json={"into": two["id"]})).is_success
    for ticket in (one, two, renamed):
        assert "ruled" not in (await ruled.agent.get(f"/tickets/{ticket['id']}")).json()["tags"]


async def test_operations_on_one_ticket_trigger_rules(ruled: Ruled) -> None:
    ticket = await ruled.ticket()
    await ruled.rule({"add_tags": ["taken"]}, "ticket.assigned")
    await ruled.rule({"add_tags": ["tagged"]}, "ticket.tagged")
    await ruled.rule({"add_tags": ["joined"]}, "ticket.changed")
    path = f"/tickets/{ticket['id']}"
    await ruled.agent.post(f"{path}/take")
    await ruled.agent.put(f"{path}/tags/x")
    joined = await ruled.agent.put(f"{path}/participants/carol@example.com")
    assert joined.json()["tags"] == ["joined", "tagged", "taken", "x"]


async def test_concurrent_writers_of_a_ticket_lose_nothing(ruled: Ruled) -> None:
    ticket = await ruled.ticket()
    await ruled.rule(NOTE, "ticket.tagged")
    path = f"/tickets/{ticket['id']}"
    responses = await asyncio.gather(
        *(ruled.agent.put(f"{path}/tags/t{number}") for number in range(10)),
        *(ruled.agent.post(f"{path}/comments", json=a_comment()) for _ in range(10)),
    )
    assert {response.status_code for response in responses} == {200, 201}
    shown = (await ruled.agent.get(path)).json()
    assert (shown["version"], len(shown["tags"]), shown["note_count"], shown["comment_count"]) == (31, 10, 10, 20)
    history = await ruled.history(ticket)
    assert [event["version"] for event in history] == list(range(1, 32))
    for event, after in pairwise(history):
        if "tags" in event["data"]:
            assert (after["type"], after["actor"]) == ("noted", "system:rules")


async def test_a_refused_change_leaves_no_note(ruled: Ruled) -> None:
    ticket = await ruled.ticket()
    await ruled.rule(NOTE, "ticket.transitioned", "ticket.changed")
    refused = await ruled.agent.patch(f"/tickets/{ticket['id']}", json={"subject": "x", "status": "awaiting_reply"})
    assert refused.status_code == 409
    assert (await ruled.agent.get(f"/tickets/{ticket['id']}")).json()["version"] == 1
    assert (await ruled.agent.post("/tickets", json=a_ticket(group_id=999_999))).status_code == 422
