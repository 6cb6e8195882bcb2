"""The definitions of custom fields, and tickets with their values."""

import secrets
from typing import Any

import pytest

from directory.conftest import ALICE, Directory
from support.factories import JSON, a_ticket


def a_field(**members: object) -> JSON:
    """Return the body of a new field with a key of its own."""
    return {"key": f"f{secrets.token_hex(6)}", "label": "Device", "type": "text"} | members


async def created(directory: Directory, **members: object) -> str:
    """Create a field and return its key."""
    field = await directory.created("/fields", a_field(**members))
    return str(field["key"])


async def archive(directory: Directory, key: str) -> None:
    archived = await directory.admin.patch(f"/fields/{key}", json={"archived": True})
    assert archived.status_code == 200


async def test_a_field_is_created_changed_and_archived(directory: Directory) -> None:
    new = a_field(type="select", options=["printer", "scanner"])
    response = await directory.admin.post("/fields", json=new)
    assert (response.status_code, response.headers["ETag"]) == (201, '"1"')
    path = response.headers["Location"]
    assert path == f"/fields/{new['key']}"
    assert response.json().items() >= (new | {"required": "never", "archived": False}).items()
    change = {"label": "Kind", "options": ["printer"]}
    changed = await directory.admin.patch(path, json=change, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["ETag"], changed.json()["label"]) == (200, '"2"', "Kind")
    assert (await directory.admin.patch(path, json=change, headers={"If-Match": '"1"'})).status_code == 412
    assert (await directory.admin.patch(path, json=change)).headers["ETag"] == '"2"'
    await archive(directory, new["key"])
    found = await directory.agent.get(path)
    assert (found.json()["archived"], found.headers["ETag"]) == (True, '"3"')
    listed = [field["key"] for field in (await directory.agent.get("/fields?archived=true")).json()["items"]]
    assert new["key"] in listed
    assert listed == sorted(listed)


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"key": "Device"}, "#/key"),
        ({"key": "1st"}, "#/key"),
        ({"key": "x" * 51}, "#/key"),
        ({"type": "color"}, "#/type"),
        ({"label": " "}, "#/label"),
        ({"type": "select"}, "#"),
        ({"options": ["x"]}, "#"),
        ({"type": "select", "options": ["x", "x"]}, "#/options"),
        ({"type": "select", "options": [""]}, "#/options/0"),
        ({"required": "always"}, "#/required"),
        ({"visible_to_requester": "yes"}, "#/visible_to_requester"),
    ],
)
async def test_an_invalid_field_is_refused_with_its_pointer(directory: Directory, members: JSON, pointer: str) -> None:
    refused = await directory.admin.post("/fields", json=a_field(**members))
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_key_and_type_never_change(directory: Directory) -> None:
    key = await created(directory)
    for change in ({"key": "other"}, {"type": "number"}, {"options": ["x"]}):
        assert (await directory.admin.patch(f"/fields/{key}", json=change)).status_code == 422
    again = await directory.admin.post("/fields", json=a_field(key=key))
    assert (again.status_code, again.json()["type"]) == (409, "/problems/already-exists")
    assert (await directory.admin.patch("/fields/unknown", json={"label": "x"})).status_code == 404


async def test_only_admins_write_fields(directory: Directory) -> None:
    key = await created(directory)
    for client in (directory.agent, directory.requester):
        assert (await client.post("/fields", json=a_field())).status_code == 403
        assert (await client.patch(f"/fields/{key}", json={"label": "x"})).status_code == 403


async def test_requesters_see_the_visible_fields_only(directory: Directory) -> None:
    hidden, visible = await created(directory), await created(directory, visible_to_requester=True)
    listed = {field["key"] for field in (await directory.requester.get("/fields")).json()["items"]}
    assert visible in listed
    assert hidden not in listed
    assert (await directory.requester.get(f"/fields/{hidden}")).status_code == 404


async def test_at_most_a_hundred_fields_are_in_use(directory: Directory) -> None:
    keys = []
    while (response := await directory.admin.post("/fields", json=a_field())).status_code == 201:
        keys.append(response.json()["key"])
    assert (response.status_code, response.json()["type"]) == (409, "/problems/too-many-fields")
    active = (await directory.admin.get("/fields?archived=false")).json()["items"]
    assert len(active) == 100
    for key in keys:
        await archive(directory, key)


VALUES: list[tuple[JSON, Any, Any]] = [
    ({"type": "text"}, "Ёлка 🎄", "Ёлка 🎄"),
    ({"type": "number"}, 2.0, 2),
    ({"type": "number"}, -1.25, -1.25),
    ({"type": "boolean"}, False, False),
    ({"type": "date"}, "2024-02-29", "2024-02-29"),
    ({"type": "select", "options": ["a", "b"]}, "b", "b"),
    ({"type": "multiselect", "options": ["a", "b", "c"]}, ["c", "a"], ["a", "c"]),
]


@pytest.mark.parametrize(("members", "sent", "stored"), VALUES, ids=str)
async def test_a_value_is_stored_changed_and_removed(
    directory: Directory, members: JSON, sent: Any, stored: Any
) -> None:
    key = await created(directory, **members)
    ticket = await directory.created("/tickets", a_ticket(custom={key: sent}))
    assert ticket["custom"] == {key: stored}
    path = f"/tickets/{ticket['id']}"
    same = await directory.agent.patch(path, json={"custom": {key: sent}})
    assert same.headers["ETag"] == '"1"'
    removed = await directory.agent.patch(path, json={"custom": {key: None}})
    assert removed.json()["custom"] == (await directory.agent.get(path)).json()["custom"] == {}
    history = (await directory.agent.get(f"{path}/history")).json()["items"]
    assert [event["data"]["custom"][key] for event in history] == [
        {"from": None, "to": stored},
        {"from": stored, "to": None},
    ]
    await archive(directory, key)


@pytest.mark.parametrize(
    ("members", "value", "place"),
    [
        ({"type": "text"}, 1, ""),
        ({"type": "text"}, " ", ""),
        ({"type": "text"}, "x" * 1001, ""),
        ({"type": "number"}, "1", ""),
        ({"type": "number"}, True, ""),
        ({"type": "number"}, 1e16, ""),
        ({"type": "boolean"}, 1, ""),
        ({"type": "date"}, "2023-02-29", ""),
        ({"type": "date"}, "20240229", ""),
        ({"type": "select", "options": ["a"]}, "b", ""),
        ({"type": "multiselect", "options": ["a", "b"]}, ["a", "x"], "/1"),
        ({"type": "multiselect", "options": ["a", "b"]}, ["a", "a"], "/1"),
        ({"type": "multiselect", "options": ["a", "b"]}, "a", ""),
    ],
)
async def test_a_value_of_another_type_is_refused_with_its_pointer(
    directory: Directory, members: JSON, value: object, place: str
) -> None:
    key = await created(directory, **members)
    refused = await directory.agent.post("/tickets", json=a_ticket(custom={key: value}))
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-fields")
    assert [error["pointer"] for error in refused.json()["errors"]] == [f"#/custom/{key}{place}"]
    await archive(directory, key)


async def test_unknown_and_archived_fields_take_no_values(directory: Directory) -> None:
    key = await created(directory)
    ticket = await directory.created("/tickets", a_ticket(custom={key: "kept"}))
    await archive(directory, key)
    path = f"/tickets/{ticket['id']}"
    for field in (key, "unknown"):
        refused = await directory.agent.patch(path, json={"custom": {field: "x"}})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, f"#/custom/{field}")
    assert (await directory.agent.get(path)).json()["custom"] == {key: "kept"}
    assert (await directory.agent.patch(path, json={"custom": {key: None}})).json()["custom"] == {}


async def test_a_ticket_needs_its_required_fields(directory: Directory) -> None:
    at_close = await created(directory, required="close")
    ticket = await directory.created("/tickets", a_ticket())
    path = f"/tickets/{ticket['id']}"
    comment = {"email": ALICE, "text": "done", "status": "closed"}
    for refused in (
        await directory.agent.patch(path, json={"status": "closed"}),
        await directory.agent.post(f"{path}/comments", json=comment),
    ):
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/fields-required")
        assert refused.json()["errors"][0]["pointer"] == f"#/custom/{at_close}"
    closed = await directory.agent.patch(path, json={"status": "closed", "custom": {at_close: "x"}})
    assert (closed.status_code, closed.json()["status"]) == (200, "closed")
    at_create = await created(directory, required="create")
    refused = await directory.agent.post("/tickets", json=a_ticket())
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, f"#/custom/{at_create}")
    for key in (at_close, at_create):
        await archive(directory, key)
    assert (await directory.agent.post("/tickets", json=a_ticket())).status_code == 201


async def test_a_requester_sees_and_sets_the_visible_values_only(directory: Directory) -> None:
    hidden, visible = await created(directory), await created(directory, visible_to_requester=True)
    ticket = await directory.created("/tickets", a_ticket(email=ALICE, custom={hidden: "h", visible: "v"}))
    path = f"/tickets/{ticket['id']}"
    changed = await directory.requester.patch(path, json={"custom": {visible: "w"}})
    assert changed.json()["custom"] == {visible: "w"}
    refused = await directory.requester.patch(path, json={"custom": {hidden: "w"}})
    unknown = await directory.requester.patch(path, json={"custom": {"unknown": "w"}})
    assert refused.status_code == unknown.status_code == 422
    assert refused.json()["errors"][0]["detail"] == unknown.json()["errors"][0]["detail"]
    for target in (path, path, "/tickets?limit=1"):
        found = (await directory.requester.get(target)).json()
        assert (found["items"][0] if "items" in found else found)["custom"] == {visible: "w"}
    history = (await directory.requester.get(f"{path}/history")).json()["items"]
    assert [set(event["data"]["custom"]) for event in history] == [{visible}, {visible}]
    assert (await directory.agent.get(path)).json()["custom"] == {hidden: "h", visible: "w"}


async def test_a_field_that_is_hidden_is_hidden_at_once(directory: Directory) -> None:
    key = await created(directory, visible_to_requester=True)
    ticket = await directory.created("/tickets", a_ticket(email=ALICE, custom={key: "v"}))
    path = f"/tickets/{ticket['id']}"
    for _ in range(2):
        cached = await directory.requester.get(path)
    assert cached.json()["custom"] == {key: "v"}
    assert cached.headers["Cache-Status"] == "tickets; hit"
    hidden = await directory.admin.patch(f"/fields/{key}", json={"visible_to_requester": False})
    assert hidden.status_code == 200
    assert (await directory.requester.get(path)).json()["custom"] == {}
