"""People: creation, changes, deactivation, lists."""

import asyncio
import secrets

import asyncpg
import pytest

from directory.conftest import Directory, problem
from services.access import api_key_cache
from support.api_calls import a_person


async def test_an_admin_creates_a_person_and_an_agent_reads_them(directory: Directory) -> None:
    body = a_person(name="Борис", zone="Europe/Moscow", language="ru")
    created = await directory.admin.post("/people", json=body)
    person = created.json()
    assert created.status_code == 201
    assert person.items() >= (body | {"active": True, "version": 1, "role_source": "admin"}).items()
    assert person["id"].startswith("person:")
    assert created.headers["Location"] == f"/people/{person['id']}"
    read = await directory.agent.get(created.headers["Location"])
    assert (read.json(), read.headers["ETag"], read.headers["Cache-Control"]) == (person, '"1"', "no-store")


async def test_agents_read_people_and_do_not_write_them(directory: Directory) -> None:
    path = f"/people/{(await directory.person())['id']}"
    assert (await directory.agent.get("/people")).status_code == 200
    assert problem(await directory.agent.post("/people", json=a_person())) == (403, "forbidden")
    assert problem(await directory.agent.patch(path, json={"name": "x"})) == (403, "forbidden")
    for method in ("GET", "POST"):
        assert problem(await directory.requester.request(method, "/people", json=a_person())) == (403, "forbidden")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("zone", "Mars/Olympus"),
        ("zone", "../../etc/passwd"),
        ("language", "english!"),
        ("role", "monitor"),
        ("role", "king"),
        ("name", " "),
        ("name", "two\nlines"),
        ("name", "x" * 101),
        ("email", "nonsense"),
        ("email", None),
        ("shoe_size", 43),
    ],
)
async def test_an_invalid_field_is_refused_with_its_pointer(directory: Directory, field: str, value: object) -> None:
    response = await directory.admin.post("/people", json=a_person(**{field: value}))
    assert problem(response) == (422, "invalid-request")
    assert [part["pointer"] for part in response.json()["errors"]] == [f"#/{field}"]


async def test_two_people_have_different_addresses_whatever_their_case(directory: Directory) -> None:
    address = f"{secrets.token_hex(4)}@example.com"
    person, other = await directory.person(email=address), await directory.person()
    refused = [
        await directory.admin.post("/people", json=a_person(email=address.upper())),
        await directory.admin.patch(f"/people/{other['id']}", json={"email": address}),
    ]
    for response in refused:
        assert problem(response) == (409, "already-exists")
        assert [part["pointer"] for part in response.json()["errors"]] == ["#/email"]
    own = await directory.admin.patch(f"/people/{person['id']}", json={"email": address.capitalize()})
    assert own.status_code == 200


async def test_of_simultaneous_creations_with_one_address_one_succeeds(directory: Directory) -> None:
    body = a_person()
    responses = await asyncio.gather(*(directory.admin.post("/people", json=body) for _ in range(6)))
    assert sorted(response.status_code for response in responses) == [201] + [409] * 5


async def test_a_patch_changes_what_it_names_and_makes_one_version(directory: Directory) -> None:
    person = await directory.person()
    path = f"/people/{person['id']}"
    changed = await directory.admin.patch(path, json={"name": "Alice Hargreaves", "zone": "Asia/Tokyo"})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    names = {"name": "Alice Hargreaves", "zone": "Asia/Tokyo", "version": 2}
    assert changed.json() == person | names | {"updated_at": changed.json()["updated_at"]}
    same = await directory.admin.patch(path, json={"name": "Alice Hargreaves"})
    assert same.json() == changed.json()


async def test_a_patch_of_another_version_is_refused(directory: Directory) -> None:
    path = f"/people/{(await directory.person())['id']}"
    first = await directory.admin.patch(path, json={"name": "First"}, headers={"If-Match": '"1"'})
    second = await directory.admin.patch(path, json={"name": "Second"}, headers={"If-Match": '"1"'})
    assert first.status_code == 200
    assert problem(second) == (412, "version-mismatch")
    assert second.headers["ETag"] == '"2"'


@pytest.mark.parametrize("person_id", ["person:999999", "key:admin", "anonymous", "7"])
async def test_an_unknown_person_is_not_found(directory: Directory, person_id: str) -> None:
    assert problem(await directory.agent.get(f"/people/{person_id}")) == (404, "principal-not-found")
    patched = await directory.admin.patch(f"/people/{person_id}", json={"active": False})
    assert problem(patched) == (404, "principal-not-found")


@pytest.mark.parametrize("body", [{}, {"active": "yes"}, {"active": None}, {"id": "person:1"}, {"version": 1}])
async def test_an_invalid_patch_is_refused(directory: Directory, body: dict[str, object]) -> None:
    path = f"/people/{(await directory.person())['id']}"
    assert problem(await directory.admin.patch(path, json=body)) == (422, "invalid-request")


async def test_a_deactivated_person_stays_and_their_key_is_refused_until_they_return(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_key_cache, "FRESH_FOR_S", 0)
    person = await directory.person()
    path, headers = f"/people/{person['id']}", await directory.as_person(person["id"])
    assert (await directory.admin.get("/tickets", headers=headers)).status_code == 200
    gone = await directory.admin.patch(path, json={"active": False})
    assert gone.json()["deactivated_at"] is not None
    assert problem(await directory.admin.get("/tickets", headers=headers)) == (401, "unauthenticated")
    assert (await directory.agent.get(path)).json()["active"] is False
    back = await directory.admin.patch(path, json={"active": True})
    assert back.json()["deactivated_at"] is None
    assert (await directory.admin.get("/tickets", headers=headers)).status_code == 200


async def test_the_role_of_a_person_is_that_of_their_key(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_key_cache, "FRESH_FOR_S", 0)
    person = await directory.person(role="agent")
    headers = await directory.as_person(person["id"])
    assert (await directory.admin.get("/keys", headers=headers)).status_code == 403
    await directory.admin.patch(f"/people/{person['id']}", json={"role": "admin"})
    assert (await directory.admin.get("/keys", headers=headers)).status_code == 200


async def test_the_last_active_admin_stays_one(directory: Directory, directory_sql: asyncpg.Connection) -> None:
    await directory_sql.execute("UPDATE principals SET role = 'agent' WHERE kind = 'person' AND role = 'admin'")
    person = await directory.person(role="admin")
    path = f"/people/{person['id']}"
    # The key of the service account counts as an admin.
    await directory_sql.execute("UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE name = 'admin'")
    try:
        for patch in ({"active": False}, {"role": "agent"}):
            assert problem(await directory.admin.patch(path, json=patch)) == (409, "last-admin")
        other = await directory.person(role="admin")
        one, two = await asyncio.gather(
            directory.admin.patch(path, json={"role": "agent"}),
            directory.admin.patch(f"/people/{other['id']}", json={"active": False}),
        )
        assert sorted((one.status_code, two.status_code)) == [200, 409]
    finally:
        await directory_sql.execute("UPDATE api_keys SET expires_at = NULL WHERE name = 'admin'")
    for each in (person, other):
        response = await directory.admin.patch(f"/people/{each['id']}", json={"role": "agent"})
        assert response.status_code == 200


async def test_lists_filter_people_and_follow_cursors(directory: Directory) -> None:
    mark = secrets.token_hex(4)
    people = [
        await directory.person(name=f"Ё{mark} {number}", role="requester" if number % 2 else "agent")
        for number in range(5)
    ]
    await directory.admin.patch(f"/people/{people[0]['id']}", json={"active": False})
    group = await directory.created("/groups", {"name": mark, "members": [people[2]["id"]]})

    async def ids(**query: str) -> list[str]:
        response = await directory.agent.get("/people", params={"q": f"ё{mark.upper()}"} | query)
        assert response.status_code == 200, response.text
        return [person["id"] for person in response.json()["items"]]

    in_order = [person["id"] for person in people]
    assert await ids() == in_order
    assert await ids(role="requester") == [in_order[1], in_order[3]]
    assert await ids(active="false") == [in_order[0]]
    assert await ids(group=group["id"], active="true") == [in_order[2]]
    assert await ids(q=people[4]["email"][:8].upper()) == [in_order[4]]
    found, path = [], f"/people?q=ё{mark}&limit=2"
    while path:
        response = await directory.agent.get(path)
        found += [person["id"] for person in response.json()["items"]]
        path = response.headers["Link"].partition(">")[0][1:] if "Link" in response.headers else ""
    assert found == in_order


@pytest.mark.parametrize("query", ["active=1", "role=king", "q=", "group=x", "q=%00", "color=red", "q=a&q=a"])
async def test_an_invalid_query_is_refused(directory: Directory, query: str) -> None:
    assert problem(await directory.agent.get(f"/people?{query}")) == (422, "invalid-request")


async def test_a_cursor_is_valid_for_its_filters_only(directory: Directory) -> None:
    for _ in range(2):
        await directory.person()
    cursor = (await directory.agent.get("/people?limit=1")).json()["next_cursor"]
    assert (await directory.agent.get(f"/people?cursor={cursor}")).status_code == 200
    refused = await directory.agent.get(f"/people?role=agent&cursor={cursor}")
    assert problem(refused) == (422, "invalid-cursor")
