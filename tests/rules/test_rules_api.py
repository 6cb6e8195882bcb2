"""Rules, as admins manage them."""

import asyncio
import secrets

import pytest

from directory.conftest import problem
from rules.conftest import Ruled, a_rule
from support.factories import JSON

TAG: JSON = {"add_tags": ["triage"]}


async def test_an_admin_creates_a_rule_and_an_agent_reads_it(ruled: Ruled) -> None:
    new = a_rule(TAG, match={"words": ["fire"]})
    created = await ruled.admin.post("/rules", json=new)
    rule = created.json()
    assert (created.status_code, rule["version"], rule["active"]) == (201, 1, True)
    assert {name: rule[name] for name in ("name", "events")} == {name: new[name] for name in ("name", "events")}
    assert rule["match"] == {"priority": [], "group_id": [], "tag": [], "domain": [], "custom": {}} | {
        "status": [],
        "words": ["fire"],
    }
    assert rule["actions"] == {"set": None, "assign": None, "add_tags": ["triage"], "note": None}
    read = await ruled.agent.get(created.headers["Location"])
    assert (read.json(), read.headers["ETag"]) == (rule, '"1"')
    assert (await ruled.agent.get("/rules")).json() == {"items": [rule]}


async def test_what_is_read_can_be_sent_again(ruled: Ruled) -> None:
    rule = await ruled.rule({"set": {"priority": "high"}, "note": "Hello"}, match={"status": ["open"]})
    sent = {name: rule[name] for name in ("name", "position", "active", "events", "match", "actions")}
    same = await ruled.admin.patch(f"/rules/{rule['id']}", json=sent)
    assert (same.json(), same.headers["ETag"]) == (rule, '"1"')


async def test_agents_write_no_rules_and_requesters_read_none(ruled: Ruled) -> None:
    rule = await ruled.rule(TAG)
    path = f"/rules/{rule['id']}"
    for method, target, body in (
        ("POST", "/rules", a_rule(TAG)),
        ("POST", "/rules/dry-run", {"rule": a_rule(TAG)}),
        ("PATCH", path, {"active": False}),
        ("DELETE", path, None),
    ):
        assert problem(await ruled.agent.request(method, target, json=body)) == (403, "forbidden")
    for target in ("/rules", path):
        assert problem(await ruled.directory.requester.get(target)) == (403, "forbidden")


async def test_rules_are_in_the_order_of_their_positions(ruled: Ruled) -> None:
    first, second = await ruled.rule(TAG, position=7), await ruled.rule(TAG)
    assert second["position"] == 8
    third, fourth = await ruled.rule(TAG, position=7), await ruled.rule(TAG, position=0)
    ids = [rule["id"] for rule in (await ruled.agent.get("/rules")).json()["items"]]
    assert ids == [rule["id"] for rule in (fourth, first, third, second)]


async def test_there_are_at_most_twenty_rules_also_if_they_are_created_at_once(ruled: Ruled) -> None:
    responses = await asyncio.gather(*(ruled.admin.post("/rules", json=a_rule(TAG)) for _ in range(24)))
    assert sorted(response.status_code for response in responses) == [201] * 20 + [409] * 4
    refused = next(response for response in responses if response.status_code == 409)
    assert problem(refused) == (409, "too-many-rules")
    positions = [rule["position"] for rule in (await ruled.agent.get("/rules")).json()["items"]]
    assert positions == list(range(1, 21))


async def test_names_of_rules_are_unique_whatever_their_case(ruled: Ruled) -> None:
    name = f"Правило {secrets.token_hex(4)}"
    await ruled.rule(TAG, name=name)
    other = await ruled.rule(TAG)
    for response in (
        await ruled.admin.post("/rules", json=a_rule(TAG, name=name.upper())),
        await ruled.admin.patch(f"/rules/{other['id']}", json={"name": name.lower()}),
    ):
        assert problem(response) == (409, "already-exists")
        assert response.json()["errors"] == [{"detail": "must be unique", "pointer": "#/name"}]


async def test_a_change_of_a_rule_depends_on_its_version(ruled: Ruled) -> None:
    rule = await ruled.rule(TAG)
    path = f"/rules/{rule['id']}"
    changed = await ruled.admin.patch(path, json={"active": False}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.json()["active"], changed.headers["ETag"]) == (200, False, '"2"')
    late = await ruled.admin.patch(path, json={"active": True}, headers={"If-Match": '"1"'})
    assert problem(late) == (412, "version-mismatch")
    assert problem(await ruled.admin.delete(path, headers={"If-Match": '"1"'})) == (412, "version-mismatch")
    deleted = await ruled.admin.delete(path, headers={"If-Match": '"2"'})
    assert deleted.json() == changed.json()
    assert problem(await ruled.agent.get(path)) == (404, "rule-not-found")


async def test_an_unknown_rule_is_not_found(ruled: Ruled) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        body = {"active": False} if method == "PATCH" else None
        assert problem(await ruled.admin.request(method, "/rules/999999", json=body)) == (404, "rule-not-found")


async def test_a_patch_replaces_conditions_and_actions_as_a_whole(ruled: Ruled) -> None:
    rule = await ruled.rule({"set": {"priority": "high"}, "note": "Hello"}, match={"status": ["open"]})
    patch = {"match": {"words": ["fire"]}, "actions": TAG}
    changed = (await ruled.admin.patch(f"/rules/{rule['id']}", json=patch)).json()
    assert (changed["match"]["status"], changed["match"]["words"]) == ([], ["fire"])
    assert changed["actions"] == {"set": None, "assign": None, "add_tags": ["triage"], "note": None}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"actions": {}}, "#/actions"),
        ({"actions": {"set": {}}}, "#/actions"),
        ({"actions": {"set": {"status": "closed"}}}, "#/actions/set/status"),
        ({"actions": {"set": {"custom": {"x": None}}}}, "#/actions/set/custom/x"),
        ({"actions": {"set": {"custom": {"x": None}}, "note": "Hello"}}, "#/actions/set/custom/x"),
        ({"match": {"domain": ["com"]}}, "#/match/domain/0"),
        ({"actions": {"note": "\u200b"}}, "#/actions/note"),
        ({"actions": {"assign": {"group_id": 1, "by": "random"}}}, "#/actions/assign/by"),
        ({"events": []}, "#/events"),
        ({"events": ["ticket.commented"]}, "#/events/0"),
        ({"match": {"words": [" "]}}, "#/match/words/0"),
        ({"match": {"subject": ["x"]}}, "#/match/subject"),
        ({"position": -1}, "#/position"),
    ],
)
async def test_a_rule_that_says_nothing_known_is_refused(ruled: Ruled, fields: JSON, pointer: str) -> None:
    refused = await ruled.admin.post("/rules", json=a_rule(TAG) | fields)
    assert problem(refused) == (422, "invalid-request")
    assert [part["pointer"] for part in refused.json()["errors"]] == [pointer]


async def test_a_rule_refers_to_what_exists(ruled: Ruled) -> None:
    closed = await ruled.group()
    await ruled.admin.patch(f"/groups/{closed}", json={"active": False})
    key = f"f{secrets.token_hex(6)}"
    await ruled.directory.created(
        "/fields", {"key": key, "label": "Device", "type": "select", "options": ["printer", "scanner"]}
    )
    match = {"group_id": [closed], "custom": {key: ["printer"]}}
    assert (await ruled.rule({"set": {"custom": {key: "scanner"}}}, match=match))["match"]["group_id"] == [closed]
    for fields, slug, pointers in (
        ({"match": {"group_id": [closed, 999_999]}}, "invalid-reference", ["#/match/group_id/1"]),
        ({"match": {"custom": {"no_such": ["x"]}}}, "invalid-reference", ["#/match/custom/no_such"]),
        ({"match": {"custom": {key: ["printer", "x"]}}}, "invalid-reference", [f"#/match/custom/{key}/1"]),
        (
            {"actions": {"set": {"group_id": closed, "assignee_id": "key:requester"}, "assign": assign(999_999)}},
            "invalid-reference",
            ["#/actions/set/group_id", "#/actions/set/assignee_id", "#/actions/assign/group_id"],
        ),
        ({"actions": {"set": {"custom": {key: "x"}}}}, "invalid-fields", [f"#/actions/set/custom/{key}"]),
        ({"actions": {"set": {"custom": {"no_such": 1}}}}, "invalid-fields", ["#/actions/set/custom/no_such"]),
    ):
        for prefix, response in (
            ("#", await ruled.admin.post("/rules", json=a_rule(TAG) | fields)),
            ("#/rule", await ruled.admin.post("/rules/dry-run", json={"rule": a_rule(TAG) | fields})),
        ):
            assert problem(response) == (422, slug)
            found = [part["pointer"] for part in response.json()["errors"]]
            assert found == [pointer.replace("#", prefix, 1) for pointer in pointers]


async def test_numbers_in_conditions_are_stored_as_they_are_compared(ruled: Ruled) -> None:
    key = f"f{secrets.token_hex(6)}"
    await ruled.directory.created("/fields", {"key": key, "label": "Dose", "type": "number"})
    rule = await ruled.rule(TAG, match={"custom": {key: ["1e-7", "2.50"]}})
    assert rule["match"]["custom"] == {key: ["0.0000001", "2.5"]}
    same = await ruled.admin.patch(f"/rules/{rule['id']}", json={"match": {"custom": {key: ["1e-07", "2.5"]}}})
    assert (same.json(), same.headers["ETag"]) == (rule, '"1"')
    tried = await ruled.admin.post("/rules/dry-run", json={"rule": a_rule(TAG, match={"custom": {key: ["25e-1"]}})})
    before = tried.json()["matched"]
    assert (await ruled.ticket(custom={key: 0.0000001}))["tags"] == ["triage"]
    assert (await ruled.ticket(custom={key: 2.5}))["tags"] == ["triage"]
    assert (await ruled.ticket(custom={key: 25}))["tags"] == []
    tried = await ruled.admin.post("/rules/dry-run", json={"rule": a_rule(TAG, match={"custom": {key: ["25e-1"]}})})
    assert tried.json()["matched"] == before + 1


def assign(group_id: int, by: str = "round_robin") -> JSON:
    return {"group_id": group_id, "by": by}
