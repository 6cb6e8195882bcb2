"""Canned replies: who sees and writes them, and how their variables are replaced."""

import secrets
from typing import Any

import pytest

from directory.conftest import Directory, directory, problem
from schemas.canned_replies import UNKNOWN_VARIABLE, VARIABLES
from services.canned.replies import rendered
from support.desk import a_reply
from support.factories import JSON, a_ticket

__all__ = ["directory"]

PATH = "/canned-replies"


async def reply(directory: Directory, **fields: Any) -> JSON:
    response = await directory.admin.post(PATH, json=a_reply(**fields))
    assert response.status_code == 201, response.text
    body: JSON = response.json()
    assert response.headers["Location"] == f"{PATH}/{body['id']}"
    return body


async def test_a_reply_is_rendered_for_a_ticket(directory: Directory) -> None:
    text = "{{ ticket.requester.name }}|{{ticket.id}}|{{ticket.subject}}|{{ticket.status}}|{{ticket.priority}}"
    text += "|{{ticket.requester.email}}|{{ticket.assignee.name}}|{{ticket.group.name}}|{{me.name}}|{{me.email}}"
    created = await reply(directory, text=text)
    person = await directory.person(name="Carol")
    me = await directory.person(name="Bob")
    group = (await directory.created("/groups", {"name": secrets.token_hex(6)}))["name"]
    new = a_ticket(email=person["email"].upper(), subject="{{me.name}} burns", assignee_id=me["id"])
    ticket = (await directory.admin.post("/tickets", json=new)).json()
    path, headers = f"{PATH}/{created['id']}/rendered?ticket_id={ticket['id']}", await directory.as_person(me["id"])
    response = await directory.agent.get(path, headers=headers)
    address = ticket["email"]
    values = ["Carol", str(ticket["id"]), "{{me.name}} burns", "open", "normal", address, "Bob", "", "Bob", me["email"]]
    assert response.json() == {"text": "|".join(values), "missing": ["ticket.group.name"]}
    groups = (await directory.admin.get("/groups?limit=100")).json()["items"]
    group_id = next(each["id"] for each in groups if each["name"] == group)
    await directory.admin.patch(f"/tickets/{ticket['id']}", json={"group_id": group_id})
    assert f"|{group}|" in (await directory.agent.get(path)).json()["text"]


def test_values_are_not_replaced_again_and_other_braces_stay() -> None:
    values = dict.fromkeys(VARIABLES, "{{me.email}}") | {"me.email": None}
    shown = rendered("{{me.name}} { {x} }} {{me.email}}{{ me.email }}", values)
    assert (shown.text, shown.missing) == ("{{me.email}} { {x} }} ", ["me.email"])


@pytest.mark.parametrize("text", ["{{me.password}}", "{{}}", "{{ticket}}", "a {{ticket.id}} {{ticket.__class__}}"])
async def test_other_variables_are_refused(directory: Directory, text: str) -> None:
    refused = await directory.admin.post(PATH, json=a_reply(text=text))
    assert problem(refused) == (422, "invalid-request")
    assert refused.json()["errors"] == [{"detail": UNKNOWN_VARIABLE, "pointer": "#/text"}]


async def test_a_reply_of_a_group_exists_for_its_members_and_admins(directory: Directory) -> None:
    member, other = await directory.person(), await directory.person()
    group = await directory.created("/groups", {"name": secrets.token_hex(6), "members": [member["id"]]})
    of_group = await reply(directory, group_id=group["id"])
    path = f"{PATH}/{of_group['id']}"
    as_member, as_other = await directory.as_person(member["id"]), await directory.as_person(other["id"])
    assert (await directory.agent.get(path, headers=as_member)).status_code == 200
    assert (await directory.agent.patch(path, json={"title": "New"}, headers=as_member)).json()["title"] == "New"
    for method, target, body in (
        ("GET", path, None),
        ("GET", f"{path}/rendered?ticket_id=1", None),
        ("PATCH", path, {"title": "Mine"}),
        ("DELETE", path, None),
    ):
        refused = await directory.agent.request(method, target, json=body, headers=as_other)
        assert problem(refused) == (404, "canned-reply-not-found")
    listed = (await directory.agent.get(f"{PATH}?q={of_group['shortcut']}", headers=as_other)).json()["items"]
    assert listed == []
    new = a_reply(group_id=group["id"])
    assert problem(await directory.agent.post(PATH, json=new, headers=as_other)) == (403, "forbidden")
    assert (await directory.agent.post(PATH, json=new, headers=as_member)).status_code == 201
    missing = await directory.agent.post(PATH, json=a_reply(group_id=10**9), headers=as_member)
    assert problem(missing) == (422, "invalid-reference")
    assert problem(await directory.requester.get(PATH)) == (403, "forbidden")


async def test_a_list_is_in_the_order_of_shortcuts_and_finds_titles_and_shortcuts(directory: Directory) -> None:
    prefix = f"x{secrets.token_hex(4)}"
    for name in ("c", "a", "b"):
        await reply(directory, shortcut=f"{prefix}-{name}", title=f"Über {prefix} {name.upper()}")
    first = await directory.agent.get(f"{PATH}?q={prefix.upper()}&limit=2")
    assert [each["shortcut"] for each in first.json()["items"]] == [f"{prefix}-a", f"{prefix}-b"]
    link = first.headers["Link"].split(">")[0].removeprefix("<")
    assert [each["shortcut"] for each in (await directory.agent.get(link)).json()["items"]] == [f"{prefix}-c"]
    for q, found in ((f"{prefix}-a", 1), (f"ber {prefix} b", 1), ("%25", 0)):
        assert len((await directory.agent.get(f"{PATH}?q={q}")).json()["items"]) == found


async def test_shortcuts_are_unique_and_changes_have_versions(directory: Directory) -> None:
    first, second = await reply(directory), await reply(directory)
    path = f"{PATH}/{second['id']}"
    for refused in (
        await directory.agent.post(PATH, json=a_reply(shortcut=first["shortcut"])),
        await directory.agent.patch(path, json={"shortcut": first["shortcut"]}),
    ):
        assert problem(refused) == (409, "already-exists")
    assert (await directory.agent.patch(path, json={"title": second["title"]})).headers["ETag"] == '"1"'
    assert (await directory.agent.patch(path, json={"text": "Hello"})).headers["ETag"] == '"2"'
    assert problem(await directory.agent.delete(path, headers={"If-Match": '"1"'})) == (412, "version-mismatch")
    assert (await directory.agent.delete(path)).json()["text"] == "Hello"
    assert problem(await directory.agent.get(path)) == (404, "canned-reply-not-found")
    rendered_path = f"{PATH}/{first['id']}/rendered?ticket_id={2**40}"
    assert problem(await directory.agent.get(rendered_path)) == (404, "ticket-not-found")
