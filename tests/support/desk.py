"""Calls of what agents use to work, and views and canned replies for the tests of every operation."""

import secrets

import httpx2

from support.factories import JSON

Call = tuple[str, str, JSON | None]
_KEPT = 5


def a_view(**fields: object) -> JSON:
    """Return the body of a new view that all agents share."""
    return {"name": secrets.token_hex(6), "query": "status=open&assignee=me", "shared": True} | fields


def a_reply(**fields: object) -> JSON:
    """Return the body of a new canned reply with a shortcut of its own."""
    text = "Hello {{ticket.requester.name}}"
    return {"title": "Greeting", "shortcut": secrets.token_hex(6), "text": text} | fields


async def desk_calls(client: httpx2.AsyncClient, ticket_id: int, admin: dict[str, str]) -> dict[str, Call]:
    """Return a call of each operation on views and canned replies."""
    replies = "/canned-replies"
    view, unused_view = [await new_view(client, admin) for _ in range(2)]
    reply, unused_reply = [await new_reply(client, admin) for _ in range(2)]
    bulk, body = "/tickets/bulk", {"ids": [ticket_id], "action": {"priority": "high"}}
    return {
        "try_bulk_change": ("POST", f"{bulk}/dry-run", body),
        "start_bulk_change": ("POST", bulk, body),
        "get_bulk_change": ("GET", f"{bulk}/{await new_bulk_change(client, ticket_id, admin)}", None),
        "get_numbers_now": ("GET", "/numbers/now", None),
        "get_numbers_by_day": ("GET", "/numbers/days?since=2026-03-02&until=2026-03-03", None),
        "get_numbers_by_value": ("GET", "/numbers/by?facet=tag&since=2026-03-02&until=2026-03-03", None),
        "list_views": ("GET", "/views", None),
        "create_view": ("POST", "/views", a_view()),
        "count_views": ("GET", "/views/counts", None),
        "get_view": ("GET", f"/views/{view}", None),
        "change_view": ("PATCH", f"/views/{view}", {"position": 7}),
        "delete_view": ("DELETE", f"/views/{unused_view}", None),
        "list_canned_replies": ("GET", replies, None),
        "create_canned_reply": ("POST", replies, a_reply()),
        "get_canned_reply": ("GET", f"{replies}/{reply}", None),
        "render_canned_reply": ("GET", f"{replies}/{reply}/rendered?ticket_id={ticket_id}", None),
        "change_canned_reply": ("PATCH", f"{replies}/{reply}", {"title": "Goodbye"}),
        "delete_canned_reply": ("DELETE", f"{replies}/{unused_reply}", None),
    }


async def new_bulk_change(client: httpx2.AsyncClient, ticket_id: int, headers: dict[str, str] | None = None) -> int:
    """Start a bulk change and return its id."""
    body = {"ids": [ticket_id], "action": {"remove_tags": ["no-such-tag"]}}
    response = await client.post("/tickets/bulk", json=body, headers=headers)
    assert response.status_code == 202, response.text
    run_id: int = response.json()["id"]
    return run_id


async def new_view(client: httpx2.AsyncClient, headers: dict[str, str] | None = None) -> int:
    """Create a view and return its id. Earlier ones are deleted: their number is limited."""
    return await _new(client, "/views", a_view(), headers)


async def new_reply(client: httpx2.AsyncClient, headers: dict[str, str] | None = None) -> int:
    """Create a canned reply and return its id. Earlier ones are deleted: their number is limited."""
    return await _new(client, "/canned-replies", a_reply(), headers)


async def _new(client: httpx2.AsyncClient, path: str, body: JSON, headers: dict[str, str] | None) -> int:
    ids = sorted(each["id"] for each in (await client.get(path, headers=headers)).json()["items"])
    for earlier in ids[:-_KEPT]:
        assert (await client.delete(f"{path}/{earlier}", headers=headers)).status_code in {200, 404}
    response = await client.post(path, json=body, headers=headers)
    assert response.status_code == 201, response.text
    new_id: int = response.json()["id"]
    return new_id
