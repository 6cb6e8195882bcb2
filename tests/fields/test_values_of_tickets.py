"""The values of custom fields over HTTP: stored with the ticket, filtered by, shown to those who may see them."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx2
import pytest

from directory.conftest import ALICE, Directory, problem
from fields.conftest import a_field
from models import FieldType
from support.factories import JSON, a_ticket

JSON_BODY = {"Content-Type": "application/json"}


@pytest.fixture
async def every_type(directory: Directory, directory_sql: asyncpg.Connection) -> AsyncIterator[Directory]:
    """A service with one field of each type, by the name of the type, and a hidden one."""
    for field_type in FieldType:
        await directory.created("/fields", a_field(str(field_type), field_type, visible_to_requester=True))
    await directory.created("/fields", a_field("hidden"))
    yield directory
    await directory_sql.execute("DELETE FROM fields")
    await directory.admin.post("/fields", json=a_field("afresh"))  # so that this process forgets them too
    await directory_sql.execute("DELETE FROM fields")


async def opened(directory: Directory, **custom: object) -> JSON:
    response = await directory.agent.post("/tickets", json=a_ticket(email=ALICE, custom=custom))
    assert response.status_code == 201, response.text
    ticket: JSON = response.json()
    return ticket


async def changed(directory: Directory, ticket: JSON, **custom: object) -> httpx2.Response:
    return await directory.agent.patch(f"/tickets/{ticket['id']}", json={"custom": custom})


async def test_values_are_merged_into_those_of_the_ticket(every_type: Directory) -> None:
    ticket = await opened(every_type, text="x", number=2.0, multiselect=["blue", "red"])
    assert ticket["custom"] == {"text": "x", "number": 2, "multiselect": ["red", "blue"]}
    response = await changed(every_type, ticket, number=0.1, text=None, boolean=False)
    assert response.json()["custom"] == {"number": 0.1, "multiselect": ["red", "blue"], "boolean": False}
    assert (await changed(every_type, ticket, number=0.1)).json()["version"] == 2
    read = (await every_type.agent.get(f"/tickets/{ticket['id']}")).json()
    assert read["custom"] == response.json()["custom"]


@pytest.mark.parametrize(
    ("custom", "pointer"),
    [
        ('{"number": 1' + "0" * 400 + "}", "#/custom/number"),
        (r'{"text": "\ud800"}', "#/custom/text"),
        (r'{"text": "x\u0000"}', "#/custom/text"),
        (r'{"select": "\ud800"}', "#/custom/select"),
        ('{"number": NaN}', "#/custom/number"),
        ('{"multiselect": ["red", "yellow"]}', "#/custom/multiselect/1"),
        ('{"unknown": null}', "#/custom/unknown"),
        ('{"a/b": 1}', "#/custom"),
        (r'{"\ud800": 1}', "#/custom"),
        ("[]", "#/custom"),
        ("null", "#/custom"),
        (json.dumps({f"k{number}": 1 for number in range(101)}), "#/custom"),
    ],
    ids=lambda text: text[:30],
)
async def test_a_value_that_does_not_fit_is_refused_with_its_place(
    every_type: Directory, custom: str, pointer: str
) -> None:
    ticket = await opened(every_type)
    body = json.dumps(a_ticket())[:-1] + f', "custom": {custom}}}'
    for response in (
        await every_type.agent.post("/tickets", content=body, headers=JSON_BODY),
        await every_type.agent.patch(f"/tickets/{ticket['id']}", content=f'{{"custom": {custom}}}', headers=JSON_BODY),
    ):
        assert response.status_code == 422, response.text
        assert response.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("values", "query"),
    [
        ({"text": "Größe & 1"}, "custom.text=Gr%C3%B6%C3%9Fe%20%26%201"),
        ({"number": 1.5}, "custom.number=1.50"),
        ({"number": 1e-7}, "custom.number=1e-7"),
        ({"number": -3.0}, "custom.number=-3"),
        ({"boolean": False}, "custom.boolean=false"),
        ({"date": "2026-03-02"}, "custom.date=2026-03-02"),
        ({"select": "green"}, "custom.select=green"),
        ({"multiselect": ["red", "blue"]}, "custom.multiselect=blue"),
        ({"number": 7, "select": "red"}, "custom.number=7&custom.select=red"),
    ],
    ids=str,
)
async def test_a_filter_finds_the_tickets_with_a_value(every_type: Directory, values: JSON, query: str) -> None:
    wanted, other = await opened(every_type, **values), await opened(every_type)
    await changed(every_type, other, text="another", number=8, boolean=True, select="blue", multiselect=["green"])
    found = await every_type.agent.get(f"/tickets?{query}")
    assert wanted["id"] in [ticket["id"] for ticket in found.json()["items"]]
    assert other["id"] not in [ticket["id"] for ticket in found.json()["items"]]


@pytest.mark.parametrize(
    "query",
    [
        "custom.number=x",
        f"custom.number={'9' * 2000}",
        f"custom.number={'[' * 4000}",
        "custom.text=%00",
        "custom.multiselect=red%00",
        "custom.date=2026-02-30",
        "custom.boolean=1",
        "custom.unknown=1",
    ],
    ids=lambda text: text[:30],
)
async def test_a_filter_that_cannot_be_a_value_is_refused(every_type: Directory, query: str) -> None:
    response = await every_type.agent.get(f"/tickets?{query}")
    assert response.status_code == 422, response.text
    assert [part["parameter"] for part in response.json()["errors"]] == [query.partition("=")[0]]


async def test_a_hidden_field_is_for_a_requester_as_unknown_as_a_missing_one(every_type: Directory) -> None:
    ticket = await opened(every_type, hidden="secret", text="shown")
    path = f"/tickets/{ticket['id']}"
    requester = every_type.requester
    for response in (
        await requester.get(path),
        await requester.get(path, headers={"Cache-Control": "no-cache"}),
        await requester.patch(path, json={"subject": secrets.token_hex(4)}),
        await requester.get(f"{path}/history"),
        await requester.get("/tickets"),
    ):
        assert response.status_code == 200
        assert "shown" in response.text
        assert "secret" not in response.text
        assert "hidden" not in response.text
    for request in (
        {"method": "PATCH", "url": path, "json": {"custom": {"hidden": None}}},
        {"method": "GET", "url": "/tickets?custom.hidden=secret"},
    ):
        hidden = await requester.request(**request)
        missing = await requester.request(**json.loads(json.dumps(request).replace("hidden", "missing")))
        assert hidden.status_code == 422
        assert described(hidden, "hidden") == described(missing, "missing")


def described(response: httpx2.Response, key: str) -> Any:
    """Return what is wrong, without the key and the ids of the request."""
    return json.loads(json.dumps([response.json()["type"], response.json()["errors"]]).replace(key, "KEY"))


async def test_an_archived_field_keeps_its_values_and_takes_no_more(every_type: Directory) -> None:
    ticket = await opened(every_type, text="kept")
    assert (await every_type.admin.patch("/fields/text", json={"archived": True})).status_code == 200
    path = f"/tickets/{ticket['id']}"
    for client in (every_type.agent, every_type.requester):
        assert (await client.get(path)).json()["custom"] == {"text": "kept"}
    assert (await changed(every_type, ticket, text="more")).status_code == 422
    assert (await changed(every_type, ticket, number=1)).json()["custom"] == {"text": "kept", "number": 1}
    assert (await changed(every_type, ticket, text=None)).json()["custom"] == {"number": 1}


async def test_a_value_keeps_an_option_that_was_removed(every_type: Directory) -> None:
    ticket = await opened(every_type, select="green")
    await every_type.admin.patch("/fields/select", json={"options": ["red"]})
    assert (await changed(every_type, ticket, number=1)).json()["custom"] == {"select": "green", "number": 1}
    found = (await every_type.agent.get("/tickets?custom.select=green")).json()["items"]
    assert ticket["id"] in [each["id"] for each in found]
    assert problem(await changed(every_type, ticket, select="green"))[0] == 422


async def test_when_a_field_is_hidden_no_cached_body_shows_it_any_more(every_type: Directory) -> None:
    tickets = [await opened(every_type, text=f"value {number}") for number in range(5)]
    paths = [f"/tickets/{ticket['id']}" for ticket in tickets]
    for path in paths * 2:
        read = await every_type.requester.get(path)
    assert read.headers["Cache-Status"] == "tickets; hit"
    reading = asyncio.create_task(keep_reading(every_type, paths))
    hidden = await every_type.admin.patch("/fields/text", json={"visible_to_requester": False})
    assert hidden.status_code == 200
    for path in paths:
        assert (await every_type.requester.get(path)).json()["custom"] == {}
    reading.cancel()
    shown = await every_type.admin.patch("/fields/text", json={"visible_to_requester": True})
    assert shown.status_code == 200
    for number, path in enumerate(paths):
        assert (await every_type.requester.get(path)).json()["custom"] == {"text": f"value {number}"}


async def keep_reading(directory: Directory, paths: list[str]) -> None:
    """Read tickets until cancelled, so that bodies are cached at any moment of a change."""
    while True:
        await asyncio.gather(*(directory.requester.get(path) for path in paths))


async def test_a_change_of_visibility_that_fails_voids_nothing_and_changes_nothing(
    every_type: Directory, directory_sql: asyncpg.Connection
) -> None:
    """Both are one transaction: a service that dies between them would show hidden values from the cache."""
    async with asyncio.timeout(10):  # groups that an earlier test marked down are not marked again
        while await directory_sql.fetchval("SELECT bool_or(state = 'down') FROM fence_groups"):
            await asyncio.sleep(0.1)
    await directory_sql.execute("ALTER TABLE fence_groups ADD CONSTRAINT never_down CHECK (state = 'up') NOT VALID")
    with pytest.raises(asyncpg.CheckViolationError, match="never_down"):  # in place of a response 500
        await every_type.admin.patch("/fields/text", json={"visible_to_requester": False})
    await directory_sql.execute("ALTER TABLE fence_groups DROP CONSTRAINT never_down")
    assert (await every_type.agent.get("/fields/text")).json()["visible_to_requester"]


@pytest.mark.parametrize("custom", [{"text": None}, {"multiselect": []}, {"text": None, "multiselect": ["red"]}])
async def test_a_new_ticket_has_no_value_for_null(every_type: Directory, custom: JSON) -> None:
    created = await every_type.created("/tickets", a_ticket(custom=custom))
    assert created["custom"] == {key: value for key, value in custom.items() if value}
