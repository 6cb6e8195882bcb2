"""Retries of requests that a rule of today would refuse, and external ids of tickets that exist."""

import secrets

from directory.conftest import Directory
from support.factories import a_ticket


async def test_a_retry_returns_its_ticket_though_a_field_is_required_since(directory: Directory) -> None:
    key = {"Idempotency-Key": secrets.token_hex(8)}
    path = f"/tickets/by-external-id/shop/{secrets.token_hex(8)}"
    closed = await directory.created("/tickets", a_ticket())
    await directory.admin.patch(f"/tickets/{closed['id']}", json={"status": "closed"})
    follow_ups = f"/tickets/{closed['id']}/follow-ups"
    follow_up_key = {"Idempotency-Key": secrets.token_hex(8)}
    first = await directory.admin.post("/tickets", json=a_ticket(), headers=key)
    put = await directory.admin.put(path, json=a_ticket())
    opened = await directory.admin.post(follow_ups, json=a_ticket(), headers=follow_up_key)
    field = {"key": f"f{secrets.token_hex(4)}", "label": "Device", "type": "text", "required": "create"}
    await directory.created("/fields", field)
    try:
        refused = await directory.admin.post("/tickets", json=a_ticket())
        assert refused.json()["type"] == "/problems/fields-required"
        again = await directory.admin.post("/tickets", json=a_ticket(), headers=key)
        assert (again.status_code, again.content) == (201, first.content)
        other = await directory.admin.post("/tickets", json=a_ticket(subject="other"), headers=key)
        assert other.json()["type"] == "/problems/idempotency-key-reused"
        assert (await directory.admin.put(path, json=a_ticket())).json() == put.json()
        reopened = await directory.admin.post(follow_ups, json=a_ticket(), headers=follow_up_key)
        assert (reopened.status_code, reopened.content) == (201, opened.content)
    finally:
        await directory.admin.patch(f"/fields/{field['key']}", json={"archived": True})
