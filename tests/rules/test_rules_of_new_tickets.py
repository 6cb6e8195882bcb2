"""What rules do to new tickets."""

import secrets

import httpx2

from directory.conftest import ALICE
from rules.conftest import Ruled
from support.factories import JSON, a_ticket

NOTE: JSON = {"note": "Call the customer."}


async def test_a_rule_sets_fields_and_adds_tags(ruled: Ruled) -> None:
    group = await ruled.group()
    actions = {"set": {"priority": "high", "group_id": group, "assignee_id": "key:agent"}, "add_tags": ["b", "a"]}
    rule = await ruled.rule(actions, match={"domain": ["example.com"], "words": ["PRINTER", "lunch"]})
    ticket = await ruled.ticket(tags=["c"])
    assert (ticket["version"], ticket["priority"], ticket["tags"]) == (1, "high", ["a", "b", "c"])
    assert (ticket["group_id"], ticket["assignee_id"]) == (group, "key:agent")
    (event,) = await ruled.history(ticket)
    assert (event["type"], event["actor"]) == ("created", "key:agent")
    assert event["data"] == {
        "priority": {"from": None, "to": "high"},
        "tags": {"from": None, "to": ["a", "b", "c"]},
        "group_id": {"from": None, "to": group},
        "assignee_id": {"from": None, "to": "key:agent"},
        "applied_rules": [rule["id"]],
    }


async def test_a_ticket_that_matches_no_rule_is_as_it_was_sent(ruled: Ruled) -> None:
    await ruled.rule({"add_tags": ["x"]}, match={"words": ["printer", "ice"]})
    await ruled.rule({"add_tags": ["x"]}, match={"domain": ["example.org"]})
    await ruled.rule({"add_tags": ["x"]}, match={"status": ["closed"]})
    await ruled.rule({"add_tags": ["x"]}, active=False)
    await ruled.rule({"add_tags": ["x"]}, "ticket.changed", "ticket.tagged")
    ticket = await ruled.ticket()
    assert ticket["tags"] == []
    assert [event["data"] for event in await ruled.history(ticket)] == [{}]


async def test_a_rule_sets_custom_fields(ruled: Ruled) -> None:
    keys = [f"f{secrets.token_hex(6)}" for _ in range(2)]
    for key, visible in zip(keys, (True, False), strict=True):
        new = {"key": key, "label": "Floor", "type": "number", "visible_to_requester": visible}
        await ruled.directory.created("/fields", new)
    await ruled.rule({"set": {"custom": {keys[0]: 3.0, keys[1]: 4}}}, match={"custom": {keys[1]: ["1"]}})
    ticket = await ruled.ticket(email=ALICE, custom={keys[1]: 1})
    assert ticket["custom"] == {keys[0]: 3, keys[1]: 4}
    (public,) = await ruled.history(ticket, ruled.directory.requester)
    assert public["data"] == {"custom": {keys[0]: {"from": None, "to": 3}}}


async def test_requesters_do_not_see_which_rules_applied_nor_their_notes(ruled: Ruled) -> None:
    await ruled.rule({"set": {"priority": "high"}, "note": "For agents"})
    requester = ruled.directory.requester
    created = await requester.post("/tickets", json=a_ticket(email=ALICE))
    assert (created.status_code, created.json()["priority"], created.json()["comment_count"]) == (201, "high", 0)
    path = f"/tickets/{created.json()['id']}"
    assert [event["data"] for event in await ruled.history(created.json(), requester)] == [
        {"priority": {"from": None, "to": "high"}}
    ]
    assert (await requester.get(f"{path}/comments")).json()["items"] == []


async def test_later_rules_override_earlier_ones_and_none_triggers_another(ruled: Ruled) -> None:
    first = await ruled.rule({"set": {"priority": "high"}, "add_tags": ["a"]})
    second = await ruled.rule({"set": {"priority": "low"}, "add_tags": ["b"]})
    await ruled.rule({"add_tags": ["never"]}, match={"tag": ["a"]})
    await ruled.rule({"add_tags": ["never"]}, match={"priority": ["high", "low"]})
    await ruled.rule({"add_tags": ["never"]}, "ticket.tagged", "ticket.changed")
    without_effect = await ruled.rule({"add_tags": ["a"]})
    ticket = await ruled.ticket()
    assert (ticket["priority"], ticket["tags"], ticket["version"]) == ("low", ["a", "b"], 1)
    (event,) = await ruled.history(ticket)
    assert event["data"]["applied_rules"] == [first["id"], second["id"]]
    assert without_effect["id"] not in event["data"]["applied_rules"]


async def test_a_note_is_a_version_of_its_own(ruled: Ruled) -> None:
    one, two = await ruled.rule(NOTE), await ruled.rule({"note": "Second", "add_tags": ["x"]})
    created = await ruled.agent.post("/tickets", json=a_ticket())
    ticket = created.json()
    assert (ticket["version"], ticket["comment_count"], ticket["note_count"]) == (3, 2, 2)
    assert created.headers["ETag"] == '"3"'
    assert [(note["text"], note["email"]) for note in await ruled.notes(ticket)] == [
        ("Call the customer.", "rules@service.local"),
        ("Second", "rules@service.local"),
    ]
    history = await ruled.history(ticket)
    assert [(event["version"], event["type"], event["actor"]) for event in history] == [
        (1, "created", "key:agent"),
        (2, "noted", "system:rules"),
        (3, "noted", "system:rules"),
    ]
    ids = [note["id"] for note in await ruled.notes(ticket)]
    assert [event["data"] for event in history] == [
        {"tags": {"from": None, "to": ["x"]}, "applied_rules": [one["id"], two["id"]]},
        {"comment_id": ids[0], "applied_rules": [one["id"]]},
        {"comment_id": ids[1], "applied_rules": [two["id"]]},
    ]


async def test_a_retry_gets_the_response_of_the_request_whose_rules_applied(ruled: Ruled) -> None:
    group = await ruled.group("key:agent")
    await ruled.rule(NOTE | {"assign": {"group_id": group, "by": "round_robin"}})
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    first, second = [await ruled.agent.post("/tickets", json=a_ticket(), headers=headers) for _ in range(2)]
    assert (first.status_code, first.json()["version"], first.json()["assignee_id"]) == (201, 2, "key:agent")
    assert (second.content, second.headers["ETag"]) == (first.content, first.headers["ETag"])
    assert second.headers["Idempotent-Replayed"]
    assert len(await ruled.history(first.json())) == 2


async def test_a_ticket_is_created_once_by_its_external_id(ruled: Ruled) -> None:
    await ruled.rule(NOTE)
    path = f"/tickets/by-external-id/shop/{secrets.token_hex(6)}"
    created = await ruled.agent.put(path, json=a_ticket())
    assert (created.status_code, created.json()["version"]) == (201, 2)
    again = await ruled.agent.put(path, json=a_ticket())
    assert (again.status_code, again.content) == (200, created.content)
    taken = {name: created.json()[name] for name in ("source", "external_id")}
    refused = await ruled.agent.post("/tickets", json=a_ticket(**taken))
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/external-id-taken")


async def test_a_follow_up_is_a_new_ticket(ruled: Ruled) -> None:
    closed = await ruled.change(await ruled.ticket(), status="closed")
    rule = await ruled.rule(NOTE | {"add_tags": ["again"]}, match={"words": ["fire"]})
    path = f"/tickets/{closed['id']}/follow-ups"
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    responses = [await ruled.agent.post(path, json=a_ticket(), headers=headers) for _ in range(2)]
    opened = responses[0].json()
    assert (opened["version"], opened["tags"], opened["note_count"]) == (2, ["again"], 1)
    assert responses[1].content == responses[0].content
    created, noted = await ruled.history(opened)
    assert created["data"]["applied_rules"] == noted["data"]["applied_rules"] == [rule["id"]]
    assert (await ruled.agent.get(f"/tickets/{closed['id']}")).json()["version"] == 3


async def test_a_follow_up_that_undoes_a_merge_is_a_new_ticket(ruled: Ruled) -> None:
    source, target = await ruled.ticket(), await ruled.ticket()
    assert (await ruled.agent.post(f"/tickets/{source['id']}/merge", json={"into": target["id"]})).is_success
    await ruled.rule(NOTE)
    undone = await ruled.agent.delete(f"/tickets/{source['id']}/merge")
    assert (undone.status_code, undone.json()["version"], undone.json()["note_count"]) == (201, 2, 1)


async def test_what_a_rule_names_and_is_not_active_any_more_is_left_out(ruled: Ruled) -> None:
    group, (gone,) = await ruled.group(), await ruled.people(1)
    await ruled.rule({"set": {"group_id": group, "assignee_id": gone, "priority": "low"}})
    await ruled.rule({"assign": {"group_id": group, "by": "round_robin"}, "add_tags": ["x"]})
    await ruled.admin.patch(f"/groups/{group}", json={"active": False})
    await ruled.admin.patch(f"/people/{gone}", json={"active": False})
    await ruled.rule({"add_tags": ["y"]})  # this process reads the settings again
    ticket = await ruled.ticket()
    assert (ticket["group_id"], ticket["assignee_id"]) == (None, None)
    assert (ticket["priority"], ticket["tags"]) == ("low", ["x", "y"])


async def test_a_ticket_has_at_most_fifty_tags(ruled: Ruled) -> None:
    await ruled.rule({"add_tags": ["x1", "x2", "x3"], "set": {"priority": "low"}})
    ticket = await ruled.ticket(tags=[f"t{number}" for number in range(48)])
    assert (len(ticket["tags"]), ticket["priority"]) == (50, "low")
    assert {"x1", "x2"} < set(ticket["tags"])


async def test_the_feed_has_the_versions_in_their_order(ruled: Ruled) -> None:
    await ruled.rule(NOTE)
    await ruled.rule(NOTE)
    ticket = await ruled.ticket()
    found: list[tuple[str, str]] = []
    path = f"/tickets/{ticket['id']}/events"
    while len(found) < 3:
        found = _kinds(await ruled.agent.get(path, params={"wait": 1, "after": "start"}))
    assert [kind for kind, _ in found] == ["ticket.created", "ticket.noted", "ticket.noted"]
    assert [event_id.rpartition("/")[2] or event_id for _, event_id in found] == sorted(
        event_id.rpartition("/")[2] or event_id for _, event_id in found
    )


def _kinds(response: httpx2.Response) -> list[tuple[str, str]]:
    assert response.status_code == 200, response.text
    return [(event["type"], event["id"]) for event in response.json()["items"]]
