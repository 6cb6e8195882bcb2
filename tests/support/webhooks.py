"""Webhooks in the state in which an operation on them succeeds."""

import asyncio

import httpx2

from support.factories import JSON, a_ticket

URL = "https://hooks.example.com/tickets"
TIMEOUT_S = 10


async def webhook_with_delivery(client: httpx2.AsyncClient, headers: dict[str, str] | None = None) -> tuple[int, int]:
    """Return the ids of a webhook and of one of its deliveries. Other webhooks are deleted: their number is limited.

    The service runs its background work. It is an admin's client, or has the `headers` of one.
    """
    webhooks = (await client.get("/webhooks", headers=headers)).json()["items"]
    for webhook in webhooks[1:]:
        assert (await client.delete(f"/webhooks/{webhook['id']}", headers=headers)).status_code == 200
    webhook_id: int = webhooks[0]["id"] if webhooks else (await new_webhook(client, headers))["id"]
    async with asyncio.timeout(TIMEOUT_S):
        while not (found := await _deliveries(client, webhook_id, headers)):
            assert (await client.post("/tickets", json=a_ticket(), headers=headers)).status_code == 201
            await asyncio.sleep(0.1)
    return webhook_id, found[0]["id"]


async def new_webhook(client: httpx2.AsyncClient, headers: dict[str, str] | None = None, **fields: object) -> JSON:
    """Create a webhook and return it."""
    response = await client.post("/webhooks", json={"url": URL} | fields, headers=headers)
    assert response.status_code == 201, response.text
    webhook: JSON = response.json()
    return webhook


async def new_replay(client: httpx2.AsyncClient, webhook_id: int, headers: dict[str, str] | None = None) -> int:
    """Start a replay without events and return its id."""
    body = {"from": "2099-01-01T00:00:00Z"}
    response = await client.post(f"/webhooks/{webhook_id}/replays", json=body, headers=headers)
    assert response.status_code == 202, response.text
    replay_id: int = response.json()["id"]
    return replay_id


async def _deliveries(client: httpx2.AsyncClient, webhook_id: int, headers: dict[str, str] | None) -> list[JSON]:
    found: list[JSON] = (await client.get(f"/webhooks/{webhook_id}/deliveries", headers=headers)).json()["items"]
    return found
