"""A person who leaves hands their tickets over."""

import secrets

from directory.conftest import Directory
from support.factories import a_ticket


async def test_the_open_tickets_of_a_person_are_handed_over(directory: Directory) -> None:
    leaving, staying = [(await directory.person())["id"] for _ in range(2)]
    group = (await directory.created("/groups", {"name": f"group of {leaving}"}))["id"]
    tickets = [await directory.created("/tickets", a_ticket(assignee_id=leaving)) for _ in range(120)]
    closed, other = tickets.pop(), await directory.created("/tickets", a_ticket(assignee_id=staying))
    await directory.admin.patch(f"/tickets/{closed['id']}", json={"status": "closed"})
    to = {"assignee_id": staying, "group_id": group}
    done = await directory.admin.post(f"/people/{leaving}/hand-over", json=to)
    assert (done.status_code, done.json()) == (200, {"handed_over": 119, "is_complete": True})
    for ticket in tickets:
        found = (await directory.admin.get(f"/tickets/{ticket['id']}")).json()
        assert (found["assignee_id"], found["group_id"], found["version"]) == (staying, group, 2)
    for ticket, assignee in ((closed, leaving), (other, staying)):
        assert (await directory.admin.get(f"/tickets/{ticket['id']}")).json()["assignee_id"] == assignee
    again = await directory.admin.post(f"/people/{leaving}/hand-over", json={"assignee_id": None})
    assert again.json() == {"handed_over": 0, "is_complete": True}


async def test_a_hand_over_needs_a_person_and_an_assignee_that_exist(directory: Directory) -> None:
    person = (await directory.person())["id"]
    unknown = await directory.admin.post("/people/person:999999/hand-over", json={"assignee_id": None})
    assert unknown.status_code == 404
    for body in ({"assignee_id": "person:999999"}, {"to": None}, {"assignee_id": None, "group_id": 999_999}):
        assert (await directory.admin.post(f"/people/{person}/hand-over", json=body)).status_code == 422
    refused = await directory.agent.post(f"/people/{person}/hand-over", json={"assignee_id": None})
    assert refused.status_code == 403


async def test_a_deactivated_person_is_no_assignee(directory: Directory) -> None:
    person = (await directory.person())["id"]
    await directory.admin.patch(f"/people/{person}", json={"active": False})
    refused = await directory.admin.post("/tickets", json=a_ticket(assignee_id=person))
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/assignee_id")


async def test_a_hand_over_says_who_gets_the_tickets(directory: Directory) -> None:
    person = (await directory.person())["id"]
    refused = await directory.admin.post(f"/people/{person}/hand-over", json={})
    assert refused.json()["errors"] == [{"detail": "is required", "pointer": "#/assignee_id"}]


async def test_an_account_without_a_live_key_is_no_assignee(directory: Directory) -> None:
    key = await directory.created("/keys", {"name": secrets.token_hex(6), "role": "agent"})
    account = f"key:{key['name']}"
    await directory.created("/tickets", a_ticket(assignee_id=account))
    await directory.admin.delete(f"/keys/{key['id']}")
    for assignee in (account, "anonymous"):
        refused = await directory.admin.post("/tickets", json=a_ticket(assignee_id=assignee, group_id=999_999))
        pointers = [error["pointer"] for error in refused.json()["errors"]]
        assert (refused.status_code, pointers) == (422, ["#/assignee_id", "#/group_id"])


async def test_a_follow_up_of_an_undone_merge_is_not_assigned_to_who_has_left(directory: Directory) -> None:
    gone, active = (await directory.person())["id"], (await directory.person())["id"]
    followed = []
    for assignee in (gone, active):
        source = await directory.created("/tickets", a_ticket(assignee_id=assignee))
        target = await directory.created("/tickets", a_ticket())
        await directory.admin.post(f"/tickets/{source['id']}/merge", json={"into": target["id"]})
        followed.append(f"/tickets/{source['id']}/merge")
    await directory.admin.patch(f"/people/{gone}", json={"active": False})
    assignees = [(await directory.admin.delete(path)).json()["assignee_id"] for path in followed]
    assert assignees == [None, active]


async def test_a_person_does_not_hand_over_to_themselves(directory: Directory) -> None:
    person = (await directory.person())["id"]
    refused = await directory.admin.post(f"/people/{person}/hand-over", json={"assignee_id": person})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/assignee_id")
