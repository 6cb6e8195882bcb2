"""Changes of definitions: versions, conditions, the maximum, and who sees them."""

import asyncio
import secrets
from typing import Any

import asyncpg
import pytest

from directory.conftest import Directory, problem
from fields.conftest import COLORS, a_field, shown_fields
from models import FieldType
from support.factories import JSON


def a_key() -> str:
    return f"f{secrets.token_hex(6)}"


async def created(directory: Directory, field_type: FieldType = FieldType.TEXT, **others: Any) -> JSON:
    return await directory.created("/fields", a_field(a_key(), field_type, **others))


async def test_a_key_is_used_once(directory: Directory) -> None:
    field = await created(directory)
    response = await directory.admin.post("/fields", json=a_field(field["key"], FieldType.DATE))
    assert problem(response) == (409, "already-exists")
    assert response.json()["errors"] == [{"detail": "must be unique", "pointer": "#/key"}]


@pytest.mark.parametrize(("field_type", "options"), [("text", ["a"]), ("number", ["1"]), ("select", [])])
async def test_exactly_the_selects_have_options(directory: Directory, field_type: str, options: list[str]) -> None:
    response = await directory.admin.post("/fields", json=a_field(a_key(), field_type) | {"options": options})
    assert problem(response) == (422, "invalid-request")


async def test_a_change_makes_a_version_and_one_without_a_difference_none(directory: Directory) -> None:
    field = await created(directory, FieldType.SELECT)
    path = f"/fields/{field['key']}"
    patch = {"label": "Another", "options": ["red", "black"], "required": "close"}
    for _ in range(2):
        changed = await directory.admin.patch(path, json=patch)
        assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
        assert changed.json() == field | patch | {"version": 2, "updated_at": changed.json()["updated_at"]}
    assert (await directory.agent.get(path)).json() == changed.json()


@pytest.mark.parametrize(("field_type", "options"), [(FieldType.TEXT, ["a"]), (FieldType.SELECT, [])])
async def test_a_patch_keeps_options_and_type_together(
    directory: Directory, field_type: FieldType, options: list[str]
) -> None:
    field = await created(directory, field_type)
    response = await directory.admin.patch(f"/fields/{field['key']}", json={"options": options})
    assert response.status_code == 422
    assert [part["pointer"] for part in response.json()["errors"]] == ["#/options"]
    assert (await directory.agent.get(f"/fields/{field['key']}")).json() == field


async def test_a_change_is_conditional(directory: Directory) -> None:
    path = f"/fields/{(await created(directory))['key']}"
    for version, status in (("1", 200), ("1", 412), ("2", 200)):
        response = await directory.admin.patch(
            path, json={"label": secrets.token_hex(4)}, headers={"If-Match": f'"{version}"'}
        )
        assert response.status_code == status
    refused = await directory.admin.patch(path, json={"label": "x"}, headers={"If-None-Match": "*"})
    assert (problem(refused), refused.headers["ETag"]) == ((412, "version-mismatch"), '"3"')


async def test_of_changes_at_once_under_one_version_exactly_one_is_made(directory: Directory) -> None:
    path = f"/fields/{(await created(directory))['key']}"
    responses = await asyncio.gather(
        *(
            directory.admin.patch(path, json={"label": f"Label {number}"}, headers={"If-Match": '"1"'})
            for number in range(10)
        )
    )
    assert sorted(response.status_code for response in responses) == [200] + [412] * 9


async def test_a_hidden_field_does_not_exist_for_a_requester(directory: Directory) -> None:
    hidden = await created(directory)
    shown = await created(directory, visible_to_requester=True)
    assert await shown_fields(directory, hidden["key"]) == []
    assert await shown_fields(directory, shown["key"]) == [shown]
    refused = [await directory.requester.get(f"/fields/{key}") for key in (hidden["key"], "no_such_field")]
    assert [problem(response) for response in refused] == [(404, "field-not-found")] * 2


async def test_an_archived_field_is_listed_for_agents_only(directory: Directory) -> None:
    field = await created(directory, visible_to_requester=True)
    path = f"/fields/{field['key']}"
    archived = (await directory.admin.patch(path, json={"archived": True})).json()
    assert archived["archived"]
    assert await shown_fields(directory, field["key"]) == []
    assert (await directory.requester.get(path)).status_code == 404
    assert (await directory.agent.get(path)).json() == archived
    for query, is_listed in (("", True), ("?archived=true", True), ("?archived=false", False)):
        items = (await directory.agent.get(f"/fields{query}")).json()["items"]
        assert (archived in items) is is_listed
        assert [item["key"] for item in items] == sorted(item["key"] for item in items)


async def test_a_field_that_another_process_made_is_listed_at_once(
    directory: Directory, directory_sql: asyncpg.Connection
) -> None:
    await directory.agent.get("/fields")
    key = a_key()
    await directory_sql.execute("INSERT INTO fields (key, label, type) VALUES ($1, 'Field', 'text')", key)
    assert key in [field["key"] for field in (await directory.agent.get("/fields")).json()["items"]]


async def test_at_most_a_hundred_fields_are_not_archived(
    directory: Directory, directory_sql: asyncpg.Connection
) -> None:
    await directory_sql.execute("DELETE FROM fields")
    archived = await created(directory)
    await directory.admin.patch(f"/fields/{archived['key']}", json={"archived": True})
    await directory_sql.execute(
        "INSERT INTO fields (key, label, type) SELECT 'full_' || n, 'Field', 'text' FROM generate_series(1, 98) AS n"
    )
    responses = await asyncio.gather(
        *(directory.admin.post("/fields", json=a_field(a_key())) for _ in range(5)),
    )
    assert sorted(response.status_code for response in responses) == [201, 201, 409, 409, 409]
    revived = await directory.admin.patch(f"/fields/{archived['key']}", json={"archived": False})
    assert problem(revived) == (409, "too-many-fields")
    assert (await directory.admin.patch("/fields/full_1", json={"archived": True})).status_code == 200
    revived = await directory.admin.patch(f"/fields/{archived['key']}", json={"archived": False})
    assert revived.status_code == 200
    await directory_sql.execute("DELETE FROM fields")


async def test_fields_are_not_deleted(directory: Directory) -> None:
    response = await directory.admin.delete("/fields/any")
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD, PATCH")


async def test_the_options_are_kept_in_their_order(directory: Directory) -> None:
    options = list(reversed(COLORS))
    assert (await created(directory, FieldType.MULTISELECT, options=options))["options"] == options
