"""Saved views: personal and shared ones, whose queries are those of the list."""

import asyncio
import secrets
from typing import Any

import httpx2
import pytest

from directory.conftest import Directory, directory, problem
from schemas.ticket_queries import NOT_A_QUERY, parsed_query
from services.views import views as module
from support.factories import JSON, a_ticket

__all__ = ["directory"]


async def view(client: httpx2.AsyncClient, query: str = "status=open", **fields: Any) -> JSON:
    response = await client.post("/views", json={"name": "View", "query": query} | fields)
    assert response.status_code == 201, response.text
    body: JSON = response.json()
    assert response.headers["Location"] == f"/views/{body['id']}"
    return body


async def own(directory: Directory) -> httpx2.AsyncClient:
    """Return a client of a new agent, who has no views."""
    person = await directory.person()
    headers = await directory.as_person(person["id"])
    return httpx2.AsyncClient(
        transport=directory.agent._transport,  # noqa: SLF001 - the same application
        base_url="http://tickets",
        headers=headers,
    )


async def test_a_view_is_the_query_of_a_list(directory: Directory) -> None:
    tag = secrets.token_hex(6)
    for subject in ("first", "second"):
        assert (await directory.agent.post("/tickets", json=a_ticket(tags=[tag], subject=subject))).status_code == 201
    created = await view(directory.agent, f"tag={tag}&sort=id")
    listed = (await directory.agent.get(f"/tickets?{created['query']}")).json()["items"]
    assert [ticket["subject"] for ticket in listed] == ["first", "second"]


@pytest.mark.parametrize(
    "query",
    ["", "status=open&status=closed&q=printer+fire", "assignee=me&assignee=none", "due_before=2026-01-01T00:00:00Z"],
)
def test_every_query_of_the_list_is_accepted(query: str) -> None:
    assert parsed_query(query).limit == 50


@pytest.mark.parametrize(
    "query",
    [
        "?status=open",
        "status",
        "status=new",
        "limit=5",
        "cursor=x",
        "sort=id&sort=-id",
        "q=a&q=b",
        "source=shop",
        "unknown=1",
        "q=%ff",
        "q=%00",
        "&".join(f"tag=t{number}" for number in range(11)),
    ],
)
async def test_another_text_is_refused(directory: Directory, query: str) -> None:
    refused = await directory.agent.post("/views", json={"name": "View", "query": query})
    assert problem(refused) == (422, "invalid-request")
    assert refused.json()["errors"] == [{"detail": NOT_A_QUERY, "pointer": "#/query"}]


async def test_a_query_with_a_custom_field_that_does_not_exist_is_refused(directory: Directory) -> None:
    refused = await directory.agent.post("/views", json={"name": "View", "query": "custom.no_such=1"})
    assert problem(refused) == (422, "invalid-fields")
    assert refused.json()["errors"] == [{"detail": "unknown field", "pointer": "#/query"}]


async def test_a_view_is_seen_by_its_owner_and_a_shared_one_by_all_agents(directory: Directory) -> None:
    first, second = await own(directory), await own(directory)
    personal, shared = await view(first), await view(first, shared=True)
    ids = [{each["id"] for each in (await client.get("/views")).json()["items"]} for client in (first, second)]
    assert {personal["id"], shared["id"]} <= ids[0]
    assert ids[1] & {personal["id"], shared["id"]} == {shared["id"]}
    path = f"/views/{personal['id']}"
    for method, body in (("GET", None), ("PATCH", {"position": 1}), ("DELETE", None)):
        assert problem(await second.request(method, path, json=body)) == (404, "view-not-found")
    assert (await second.patch(f"/views/{shared['id']}", json={"name": "Ours"})).json()["name"] == "Ours"
    assert (await second.delete(f"/views/{shared['id']}")).json()["name"] == "Ours"
    for method, target in (("GET", "/views"), ("GET", "/views/counts"), ("POST", "/views"), ("GET", path)):
        json = {"name": "View", "query": ""} if method == "POST" else None
        assert problem(await directory.requester.request(method, target, json=json)) == (403, "forbidden")


async def test_views_are_in_the_order_of_their_positions(directory: Directory) -> None:
    client = await own(directory)
    first, second = await view(client), await view(client)
    third = await view(client, position=first["position"])
    mine = [each["id"] for each in (await client.get("/views")).json()["items"] if not each["shared"]]
    assert mine == [first["id"], third["id"], second["id"]]


async def test_a_change_needs_the_version_that_it_expects(directory: Directory) -> None:
    client = await own(directory)
    path = f"/views/{(await view(client))['id']}"
    changed = await client.patch(path, json={"query": "status=closed"}, headers={"If-Match": '"1"'})
    assert (changed.json()["query"], changed.headers["ETag"]) == ("status=closed", '"2"')
    assert (await client.patch(path, json={"query": "status=closed"})).headers["ETag"] == '"2"'
    for method, body in (("PATCH", {"name": "Other"}), ("DELETE", None)):
        refused = await client.request(method, path, json=body, headers={"If-Match": '"1"'})
        assert (problem(refused), refused.headers["ETag"]) == ((412, "version-mismatch"), '"2"')
    assert (await client.delete(path, headers={"If-Match": '"2"'})).json()["version"] == 2
    assert problem(await client.get(path)) == (404, "view-not-found")


async def test_there_are_at_most_fifty_views_of_an_owner(directory: Directory) -> None:
    client = await own(directory)
    new = {"name": "View", "query": ""}
    responses = await asyncio.gather(*(client.post("/views", json=new) for _ in range(53)))
    assert sorted(response.status_code for response in responses) == [201] * 50 + [409] * 3
    assert problem(await client.post("/views", json=new)) == (409, "too-many-views")


async def test_the_tickets_of_views_are_counted_up_to_ninety_nine(directory: Directory) -> None:
    client, tag = await own(directory), secrets.token_hex(6)
    few = await view(client, f"tag={tag}&status=open", position=1)
    many = await view(client, "status=open", position=2)
    mine = await view(client, "assignee=me", position=3)
    await asyncio.gather(*(client.post("/tickets", json=a_ticket(tags=[tag])) for _ in range(3)))
    await asyncio.gather(*(client.post("/tickets", json=a_ticket()) for _ in range(100)))
    counts = {each["view_id"]: each for each in (await client.get("/views/counts")).json()["items"]}
    assert [counts[each["id"]] for each in (few, many, mine)] == [
        {"view_id": few["id"], "count": 3},
        {"view_id": many["id"], "more_than": 99},
        {"view_id": mine["id"], "count": 0},
    ]


async def test_views_for_which_there_is_no_time_have_no_number(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await own(directory)
    created = await view(client)
    monkeypatch.setattr(module, "MAX_TIME_S", -1)
    assert {"view_id": created["id"]} in (await client.get("/views/counts")).json()["items"]
