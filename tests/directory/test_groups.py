"""Groups and their members."""

import asyncio
import secrets

import pytest

from directory.conftest import Directory, problem
from support.factories import JSON


async def a_group(directory: Directory, **fields: object) -> JSON:
    return await directory.created("/groups", {"name": secrets.token_hex(6), **fields})


async def test_an_admin_creates_a_group_and_an_agent_reads_it(directory: Directory) -> None:
    person = await directory.person()
    created = await directory.admin.post("/groups", json={"name": " Network ", "members": [person["id"], "key:agent"]})
    group = created.json()
    assert (created.status_code, group["name"], group["version"]) == (201, "Network", 1)
    assert group["members"] == ["key:agent", person["id"]]
    read = await directory.agent.get(created.headers["Location"])
    assert (read.json(), read.headers["ETag"]) == (group, '"1"')
    assert group in (await directory.agent.get("/groups?limit=100")).json()["items"]


async def test_agents_do_not_write_groups(directory: Directory) -> None:
    group = await a_group(directory)
    path = f"/groups/{group['id']}"
    for method, target in (
        ("POST", "/groups"),
        ("PATCH", path),
        ("PUT", f"{path}/members/key:agent"),
        ("DELETE", f"{path}/members/key:agent"),
    ):
        body = {"name": "x"} if method in {"POST", "PATCH"} else None
        assert problem(await directory.agent.request(method, target, json=body)) == (403, "forbidden")


async def test_names_of_groups_are_unique_whatever_their_case(directory: Directory) -> None:
    name = f"Отдел {secrets.token_hex(4)}"
    await a_group(directory, name=name)
    other = await a_group(directory)
    for response in (
        await directory.admin.post("/groups", json={"name": name.upper()}),
        await directory.admin.patch(f"/groups/{other['id']}", json={"name": name.lower()}),
    ):
        assert problem(response) == (409, "already-exists")
        assert response.json()["errors"] == [{"detail": "must be unique", "pointer": "#/name"}]


async def test_members_are_active_agents_or_admins(directory: Directory) -> None:
    agent, requester, gone = (
        await directory.person(),
        await directory.person(role="requester"),
        await directory.person(),
    )
    await directory.admin.patch(f"/people/{gone['id']}", json={"active": False})
    group = await a_group(directory)
    for wrong in (requester["id"], gone["id"], "person:999999", "key:requester"):
        for method, path in (("POST", "/groups"), ("PATCH", f"/groups/{group['id']}")):
            body = {"name": secrets.token_hex(6), "members": [agent["id"], "key:admin", wrong]}
            response = await directory.admin.request(method, path, json=body)
            assert problem(response) == (422, "invalid-reference"), wrong
            assert [part["pointer"] for part in response.json()["errors"]] == ["#/members/2"]
        response = await directory.admin.put(f"/groups/{group['id']}/members/{wrong}")
        assert problem(response) == (422, "invalid-reference")
        assert [part["parameter"] for part in response.json()["errors"]] == ["principal_id"]
    assert (await directory.agent.get(f"/groups/{group['id']}")).json() == group


async def test_a_patch_replaces_the_members_as_one_version(directory: Directory) -> None:
    one, two = (await directory.person())["id"], (await directory.person())["id"]
    group = await a_group(directory, members=[one])
    path = f"/groups/{group['id']}"
    changed = await directory.admin.patch(path, json={"members": [two, two]}, headers={"If-Match": '"1"'})
    assert (changed.json()["members"], changed.headers["ETag"]) == ([two], '"2"')
    same = await directory.admin.patch(path, json={"members": [two]})
    assert same.headers["ETag"] == '"2"'
    late = await directory.admin.patch(path, json={"active": False}, headers={"If-Match": '"1"'})
    assert problem(late) == (412, "version-mismatch")
    closed = await directory.admin.patch(path, json={"active": False})
    assert (closed.json()["active"], closed.json()["members"]) == (False, [two])


async def test_members_are_added_and_removed_one_by_one_and_repeatedly(directory: Directory) -> None:
    person = (await directory.person())["id"]
    group = await a_group(directory)
    path = f"/groups/{group['id']}/members/{person}"
    for _ in range(2):
        added = await directory.admin.put(path)
        assert (added.status_code, added.json()["members"], added.headers["ETag"]) == (200, [person], '"2"')
    for _ in range(2):
        removed = await directory.admin.delete(path)
        assert (removed.status_code, removed.json()["members"], removed.headers["ETag"]) == (200, [], '"3"')


async def test_what_does_not_exist_cannot_be_removed(directory: Directory) -> None:
    group = await a_group(directory)
    response = await directory.admin.delete(f"/groups/{group['id']}/members/person:999999")
    assert problem(response) == (404, "principal-not-found")


async def test_members_that_are_added_at_once_are_all_kept(directory: Directory) -> None:
    people = sorted([(await directory.person())["id"] for _ in range(6)])
    group = await a_group(directory)
    await asyncio.gather(*(directory.admin.put(f"/groups/{group['id']}/members/{each}") for each in people))
    assert (await directory.agent.get(f"/groups/{group['id']}")).json()["members"] == people


async def test_a_service_account_whose_name_has_a_slash_can_be_a_member(directory: Directory) -> None:
    await directory.created("/keys", {"name": "crm/west", "role": "agent"})
    group = await a_group(directory)
    added = await directory.admin.put(f"/groups/{group['id']}/members/key:crm%2Fwest")
    assert added.json()["members"] == ["key:crm/west"]


async def test_an_unknown_group_is_not_found(directory: Directory) -> None:
    for method, path in (
        ("GET", "/groups/999999"),
        ("PATCH", "/groups/999999"),
        ("PUT", "/groups/999999/members/key:agent"),
        ("DELETE", "/groups/999999/members/key:agent"),
    ):
        body = {"name": "x"} if method == "PATCH" else None
        assert problem(await directory.admin.request(method, path, json=body)) == (404, "group-not-found")


async def test_pages_of_groups_follow_cursors(directory: Directory) -> None:
    made = [(await a_group(directory))["id"] for _ in range(3)]
    found: list[int] = []
    path = "/groups?limit=2"
    while path:
        response = await directory.agent.get(path)
        found += [group["id"] for group in response.json()["items"]]
        path = response.headers["Link"].partition(">")[0][1:] if "Link" in response.headers else ""
    assert found == sorted(found)
    assert set(made) <= set(found)


async def test_a_member_who_was_deactivated_may_stay_in_the_list(directory: Directory) -> None:
    gone, other = (await directory.person())["id"], (await directory.person())["id"]
    group = await a_group(directory, members=[gone])
    await directory.admin.patch(f"/people/{gone}", json={"active": False})
    changed = await directory.admin.patch(f"/groups/{group['id']}", json={"members": [gone, other]})
    assert (changed.status_code, set(changed.json()["members"])) == (200, {gone, other})
    await directory.admin.patch(f"/groups/{group['id']}", json={"members": [other]})
    refused = await directory.admin.patch(f"/groups/{group['id']}", json={"members": [other, gone]})
    assert refused.json()["errors"][0]["pointer"] == "#/members/1"


async def test_a_name_has_no_marks_of_direction(directory: Directory) -> None:
    refused = await directory.admin.post("/groups", json={"name": "a\u202eb"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/name")


async def test_an_admin_sets_when_the_tickets_of_a_group_are_closed(directory: Directory) -> None:
    assert (await a_group(directory))["auto_close_after"] is None
    group = await a_group(directory, auto_close_after=3_600)
    path = f"/groups/{group['id']}"
    assert (group["auto_close_after"], group["version"]) == (3_600, 1)
    for value, version in ((0, 2), (0, 2), (None, 3), (315_360_000, 4)):
        changed = (await directory.admin.patch(path, json={"auto_close_after": value})).json()
        assert (changed["auto_close_after"], changed["version"]) == (value, version)
    renamed = (await directory.admin.patch(path, json={"name": secrets.token_hex(6)})).json()
    assert (renamed["auto_close_after"], renamed["version"]) == (315_360_000, 5)


@pytest.mark.parametrize("value", [-1, 315_360_001, 1.5, "60", True])
async def test_an_invalid_time_of_the_automatic_close_is_refused(directory: Directory, value: object) -> None:
    group = await a_group(directory)
    for method, path in (("POST", "/groups"), ("PATCH", f"/groups/{group['id']}")):
        body = {"name": secrets.token_hex(6), "auto_close_after": value}
        refused = await directory.admin.request(method, path, json=body)
        assert problem(refused) == (422, "invalid-request")
        assert [part["pointer"] for part in refused.json()["errors"]] == ["#/auto_close_after"]
