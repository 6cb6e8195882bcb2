"""Links between tickets: both sides show them, in one transaction."""

import asyncio

import httpx2
import pytest

from support.factories import open_ticket, ticket_in

PAIRS = [("relates_to", "relates_to"), ("duplicates", "duplicated_by"), ("blocks", "blocked_by")]


@pytest.mark.parametrize(("link", "inverse"), PAIRS)
async def test_both_tickets_show_a_link(client: httpx2.AsyncClient, link: str, inverse: str) -> None:
    one, other = [(await open_ticket(client))["id"] for _ in range(2)]
    for _ in range(2):
        linked = await client.put(f"/tickets/{one}/links/{link}/{other}")
        assert (linked.status_code, linked.headers["ETag"]) == (200, '"2"')
    for ticket, type_, linked_to in ((one, link, other), (other, inverse, one)):
        found = (await client.get(f"/tickets/{ticket}")).json()
        assert found["links"] == [{"type": type_, "ticket_id": linked_to}]
        _, event = (await client.get(f"/tickets/{ticket}/history")).json()["items"]
        assert (event["type"], event["data"]) == ("linked", {"link_added": {"type": type_, "ticket_id": linked_to}})
    removed = await client.delete(f"/tickets/{other}/links/{inverse}/{one}")
    assert removed.headers["ETag"] == '"3"'
    for ticket in (one, other):
        found = (await client.get(f"/tickets/{ticket}")).json()
        assert (found["links"], found["version"]) == ([], 3)


async def test_a_closed_ticket_can_be_linked(client: httpx2.AsyncClient) -> None:
    closed, other = (await ticket_in(client, "closed"))["id"], (await open_ticket(client))["id"]
    assert (await client.put(f"/tickets/{other}/links/duplicates/{closed}")).status_code == 200
    found = (await client.get(f"/tickets/{closed}")).json()
    assert (found["status"], found["links"][0]["type"]) == ("closed", "duplicated_by")


async def test_links_that_cross_each_other_are_both_there(client: httpx2.AsyncClient) -> None:
    one, other = [(await open_ticket(client))["id"] for _ in range(2)]
    responses = await asyncio.gather(
        client.put(f"/tickets/{one}/links/blocks/{other}"), client.put(f"/tickets/{other}/links/blocks/{one}")
    )
    assert {response.status_code for response in responses} == {200}
    found = (await client.get(f"/tickets/{one}")).json()["links"]
    assert found == [{"type": "blocked_by", "ticket_id": other}, {"type": "blocks", "ticket_id": other}]


async def test_a_link_needs_two_tickets_that_exist(client: httpx2.AsyncClient) -> None:
    one = (await open_ticket(client))["id"]
    assert (await client.put(f"/tickets/{one}/links/blocks/{one}")).json()["type"] == "/problems/link-to-itself"
    unknown = await client.put(f"/tickets/{one}/links/blocks/999999999")
    assert (unknown.status_code, unknown.json()["errors"][0]["parameter"]) == (422, "other_id")
    assert (await client.put(f"/tickets/999999999/links/blocks/{one}")).status_code == 404
    assert (await client.put(f"/tickets/{one}/links/hates/{one}")).status_code == 422
