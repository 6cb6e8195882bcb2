"""Rules for the tests of every operation. Their conditions match no ticket of a test."""

import secrets

import httpx2

from support.factories import JSON

MATCH: JSON = {"domain": ["example.org"]}


def a_rule(**fields: object) -> JSON:
    """Return the body of a valid new rule."""
    actions = {"add_tags": ["x"]}
    return {"name": secrets.token_hex(6), "events": ["ticket.created"], "match": MATCH, "actions": actions} | fields


async def new_rule(client: httpx2.AsyncClient, headers: dict[str, str] | None = None) -> int:
    """Create a rule and return its id. Others are deleted: their number is limited."""
    for rule in (await client.get("/rules", headers=headers)).json()["items"][:-5]:
        assert (await client.delete(f"/rules/{rule['id']}", headers=headers)).status_code == 200
    response = await client.post("/rules", json=a_rule(), headers=headers)
    assert response.status_code == 201, response.text
    rule_id: int = response.json()["id"]
    return rule_id
