"""External ids: another system creates its tickets once, however often it sends them."""

import asyncio
import secrets

import httpx2
import pytest

from support.factories import a_ticket, open_ticket, ticket_in


async def test_a_ticket_is_created_once_by_its_external_id(client: httpx2.AsyncClient) -> None:
    path = f"/tickets/by-external-id/shop/{secrets.token_hex(4)}+a:b"
    created = await client.put(path, json=a_ticket())
    assert (created.status_code, created.headers["ETag"]) == (201, '"1"')
    assert created.headers["Location"] == f"/tickets/{created.json()['id']}"
    assert created.json()["external_id"].endswith("+a:b")
    again = await client.put(path, json=a_ticket(subject="another one"))
    assert again.status_code == 200
    assert again.json() == created.json()


async def test_of_several_requests_at_once_one_creates_the_ticket(client: httpx2.AsyncClient) -> None:
    path = f"/tickets/by-external-id/shop/{secrets.token_hex(4)}"
    responses = await asyncio.gather(*(client.put(path, json=a_ticket()) for _ in range(10)))
    assert sorted(response.status_code for response in responses) == [200] * 9 + [201]
    assert len({response.json()["id"] for response in responses}) == 1


async def test_an_external_id_is_unique_for_its_source(client: httpx2.AsyncClient) -> None:
    external_id = secrets.token_hex(4)
    for source, status in (("shop", 201), ("shop", 409), ("crm", 201)):
        response = await client.post("/tickets", json=a_ticket(source=source, external_id=external_id))
        assert response.status_code == status
    key = {"Idempotency-Key": secrets.token_hex(4)}
    response = await client.post("/tickets", json=a_ticket(source="crm", external_id=external_id), headers=key)
    assert (response.status_code, response.json()["type"]) == (409, "/problems/external-id-taken")


@pytest.mark.parametrize(
    "fields",
    [
        {"source": "shop"},
        {"external_id": "A-1"},
        {"source": "Shop", "external_id": "1"},
        {"source": "shop", "external_id": "a/b"},
    ],
)
async def test_an_incomplete_external_id_is_refused(client: httpx2.AsyncClient, fields: dict[str, str]) -> None:
    assert (await client.post("/tickets", json=a_ticket(**fields))).status_code == 422


async def test_a_follow_up_does_not_take_the_external_id_of_another_ticket(client: httpx2.AsyncClient) -> None:
    name = {"source": "shop", "external_id": secrets.token_hex(8)}
    await open_ticket(client, **name)
    closed = await ticket_in(client, "closed")
    refused = await client.post(f"/tickets/{closed['id']}/follow-ups", json=a_ticket(**name))
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/external-id-taken")
    assert (await client.get(f"/tickets/{closed['id']}")).json()["follow_ups"] == []
