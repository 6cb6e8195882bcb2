"""Tags of a ticket: as a list in the ticket, and one by one without a loss."""

import asyncio

import httpx2
import pytest

from support.factories import a_ticket, open_ticket, ticket_in


async def test_tags_are_stored_sorted_and_once(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client, tags=["printer", "floor-3", "printer"])
    assert ticket["tags"] == ["floor-3", "printer"]
    changed = await client.patch(f"/tickets/{ticket['id']}", json={"tags": ["принтер", "a:b_c.d"]})
    assert changed.json()["tags"] == ["a:b_c.d", "принтер"]
    *_, event = (await client.get(f"/tickets/{ticket['id']}/history")).json()["items"]
    assert event["data"]["tags"] == {"from": ["floor-3", "printer"], "to": ["a:b_c.d", "принтер"]}


@pytest.mark.parametrize("tag", ["Printer", "two words", "", "x" * 51, "tag!", "Ё", ".", "..", "\u0958" * 26])
async def test_an_invalid_tag_is_refused(client: httpx2.AsyncClient, tag: str) -> None:
    response = await client.post("/tickets", json=a_ticket(tags=["fine", tag]))
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "#/tags/1"


async def test_a_tag_has_one_spelling(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client, tags=["cafe\u0301", "caf\u00e9", "हिन्दी", "ภาษาไทย"])
    assert ticket["tags"] == ["caf\u00e9", "हिन्दी", "ภาษาไทย"]
    unchanged = await client.put(f"/tickets/{ticket['id']}/tags/cafe%CC%81")
    assert unchanged.json()["version"] == 1


async def test_a_tag_is_added_and_removed_once(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    path = f"/tickets/{ticket['id']}/tags/printer"
    for method, tags, version in (
        ("PUT", ["printer"], 2),
        ("PUT", ["printer"], 2),
        ("DELETE", [], 3),
        ("DELETE", [], 3),
    ):
        response = await client.request(method, path)
        assert (response.status_code, response.json()["tags"]) == (200, tags)
        assert response.headers["ETag"] == f'"{version}"'


async def test_tags_that_are_added_at_the_same_time_are_all_there(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client, tags=["old"])
    tags = [f"tag-{number:02}" for number in range(30)]
    responses = await asyncio.gather(
        client.delete(f"/tickets/{ticket['id']}/tags/old"),
        *(client.put(f"/tickets/{ticket['id']}/tags/{tag}") for tag in tags),
    )
    assert {response.status_code for response in responses} == {200}
    found = (await client.get(f"/tickets/{ticket['id']}")).json()
    assert (found["tags"], found["version"]) == (tags, 32)


async def test_a_ticket_has_at_most_fifty_tags(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client, tags=[f"tag-{number}" for number in range(50)])
    assert len(ticket["tags"]) == 50
    refused = await client.put(f"/tickets/{ticket['id']}/tags/more")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/too-many-tags")
    assert (await client.put(f"/tickets/{ticket['id']}/tags/tag-7")).status_code == 200
    refused = await client.post("/tickets", json=a_ticket(tags=[f"tag-{number}" for number in range(51)]))
    assert refused.status_code == 422


async def test_the_tags_of_a_closed_ticket_stay(client: httpx2.AsyncClient) -> None:
    ticket = await ticket_in(client, "closed")
    assert (await client.put(f"/tickets/{ticket['id']}/tags/x")).status_code == 409
