"""A valid call of every operation of the document."""

import secrets

import httpx2

from support.desk import desk_calls
from support.factories import JSON, a_comment, a_ticket
from support.rules import a_rule, new_rule
from support.webhooks import URL, new_replay, new_webhook, webhook_with_delivery

Call = tuple[str, str, JSON | None]


def a_person(**fields: object) -> JSON:
    """Return the body of a new person with an address of their own."""
    address = f"{secrets.token_hex(6)}@example.com"
    return {"name": "Alice Liddell", "email": address, "role": "agent"} | fields


async def calls(client: httpx2.AsyncClient, ticket_id: int, email: str, admin: dict[str, str]) -> dict[str, Call]:
    """Return a call of each operation, which succeeds once: the resources that it names are made here.

    Reminders are not: each principal has its own. `email` is the requester of the ticket, and `admin` the header of an
    admin.
    """
    ticket = f"/tickets/{ticket_id}"
    person, group, key = [
        (await created(client, path, body, admin))["id"]
        for path, body in (
            ("/people", a_person()),
            ("/groups", {"name": secrets.token_hex(6)}),
            ("/keys", {"name": secrets.token_hex(6), "role": "agent"}),
        )
    ]
    new_field = {"key": f"f{secrets.token_hex(6)}", "label": "Field", "type": "text", "visible_to_requester": True}
    field = (await created(client, "/fields", new_field, admin))["key"]
    await archive_other_fields(client, field, admin)
    calendar = await existing_calendar(client, admin)
    policy = await existing_policy(client, admin)
    member = f"/groups/{group}/members/{person}"
    # A principal that wrote on the ticket, so that its requester may see the name.
    await client.post(f"{ticket}/comments", json=a_comment(), headers=admin)
    writer = (await client.get("/me", headers=admin)).json()["id"]
    other, source, merged, closed = [
        (await created(client, "/tickets", a_ticket(email=email), admin))["id"] for _ in range(4)
    ]
    await client.post(f"/tickets/{merged}/merge", json={"into": other}, headers=admin)
    await client.patch(f"/tickets/{closed}", json={"status": "closed"}, headers=admin)
    webhook_id, delivery_id = await webhook_with_delivery(client, admin)
    webhook, replay_id = f"/webhooks/{webhook_id}", await new_replay(client, webhook_id, admin)
    unused_id = (await new_webhook(client, admin))["id"]
    link = f"{ticket}/links/relates_to/{other}"
    reminder = {"remind_at": "2035-03-02T09:00:00Z", "note": "Ask again", "snooze": True}
    rule, unused_rule = [f"/rules/{await new_rule(client, admin)}" for _ in range(2)]
    return {
        "put_ticket_by_external_id": ("PUT", "/tickets/by-external-id/shop/A-1", a_ticket(email=email)),
        "take_ticket": ("POST", f"{ticket}/take?steal=true", None),
        "release_ticket": ("POST", f"/tickets/{other}/release", None),
        "add_tag": ("PUT", f"{ticket}/tags/x", None),
        "remove_tag": ("DELETE", f"{ticket}/tags/x", None),
        "add_participant": ("PUT", f"{ticket}/participants/carol@example.com", None),
        "remove_participant": ("DELETE", f"{ticket}/participants/carol@example.com", None),
        "add_link": ("PUT", link, None),
        "remove_link": ("DELETE", link, None),
        "set_reminder": ("PUT", f"{ticket}/reminder", reminder),
        "get_reminder": ("GET", f"{ticket}/reminder", None),
        "delete_reminder": ("DELETE", f"{ticket}/reminder", None),
        "list_reminders": ("GET", "/reminders", None),
        "merge_ticket": ("POST", f"/tickets/{source}/merge", {"into": other}),
        "undo_merge": ("DELETE", f"/tickets/{merged}/merge", None),
        "open_follow_up": ("POST", f"/tickets/{closed}/follow-ups", a_ticket(email=email)),
        "create_ticket": ("POST", "/tickets", a_ticket(email=email)),
        "list_tickets": ("GET", "/tickets", None),
        "get_ticket": ("GET", ticket, None),
        "change_ticket": ("PATCH", ticket, {"subject": "The printer is out"}),
        "list_history": ("GET", f"{ticket}/history", None),
        "create_comment": ("POST", f"{ticket}/comments", a_comment(email=email)),
        "list_comments": ("GET", f"{ticket}/comments", None),
        "get_me": ("GET", "/me", None),
        "get_principal": ("GET", f"/principals/{writer}", None),
        "list_people": ("GET", "/people", None),
        "create_person": ("POST", "/people", a_person()),
        "get_person": ("GET", f"/people/{person}", None),
        "change_person": ("PATCH", f"/people/{person}", {"name": "Alice Hargreaves"}),
        "hand_over": ("POST", f"/people/{person}/hand-over", {"assignee_id": None}),
        "list_fields": ("GET", "/fields", None),
        "create_field": ("POST", "/fields", {"key": f"k{secrets.token_hex(6)}", "label": "Kind", "type": "text"}),
        "get_field": ("GET", f"/fields/{field}", None),
        "change_field": ("PATCH", f"/fields/{field}", {"label": "Sort"}),
        "list_calendars": ("GET", "/calendars", None),
        "create_calendar": ("POST", "/calendars", a_calendar()),
        "get_calendar": ("GET", calendar, None),
        "change_calendar": ("PATCH", calendar, {"weekly": {"sat": [["09:00", "12:00"]]}}),
        "get_due": ("GET", f"{calendar}/due?from=2026-03-02T09:00:00Z&seconds=3600", None),
        "get_worked": ("GET", f"{calendar}/worked?from=2026-03-02T09:00:00Z&until=2026-03-03T09:00:00Z", None),
        "propose_holidays": ("GET", f"{calendar}/holidays?country=DE&year=2026", None),
        "list_sla_policies": ("GET", "/sla-policies", None),
        "create_sla_policy": ("POST", "/sla-policies", a_policy(calendar)),
        "get_sla_policy": ("GET", policy, None),
        "change_sla_policy": ("PATCH", policy, {"first_response_s": 7200}),
        "recompute_sla_policy": ("POST", f"{policy}/recompute", {"dry_run": True}),
        "count_tickets": ("GET", "/tickets/counts?by=status", None),
        "list_tags": ("GET", "/tags", None),
        "rename_tag": ("POST", "/tags/rename", {"from": "old", "to": "new"}),
        "list_groups": ("GET", "/groups", None),
        "create_group": ("POST", "/groups", {"name": secrets.token_hex(6)}),
        "get_group": ("GET", f"/groups/{group}", None),
        "change_group": ("PATCH", f"/groups/{group}", {"active": False}),
        "add_group_member": ("PUT", member, None),
        "remove_group_member": ("DELETE", member, None),
        "list_keys": ("GET", "/keys", None),
        "create_key": ("POST", "/keys", {"name": secrets.token_hex(6), "role": "agent"}),
        "get_key": ("GET", f"/keys/{key}", None),
        "revoke_key": ("DELETE", f"/keys/{key}", None),
        "list_events": ("GET", "/events?limit=1", None),
        "list_ticket_events": ("GET", f"{ticket}/events?limit=1", None),
        "list_event_types": ("GET", "/events/types", None),
        "list_webhooks": ("GET", "/webhooks", None),
        "create_webhook": ("POST", "/webhooks", {"url": URL}),
        "get_webhook": ("GET", webhook, None),
        "change_webhook": ("PATCH", webhook, {"tags": ["vip"]}),
        "delete_webhook": ("DELETE", f"/webhooks/{unused_id}", None),
        "rotate_secret": ("POST", f"{webhook}/rotate-secret", None),
        "test_webhook": ("POST", f"{webhook}/test", None),
        "list_deliveries": ("GET", f"{webhook}/deliveries", None),
        "replay_delivery": ("POST", f"{webhook}/deliveries/{delivery_id}/replay", None),
        "start_replay": ("POST", f"{webhook}/replays", {"from": "2099-01-01T00:00:00Z"}),
        "get_replay": ("GET", f"{webhook}/replays/{replay_id}", None),
        "list_rules": ("GET", "/rules", None),
        "create_rule": ("POST", "/rules", a_rule()),
        "try_rule": ("POST", "/rules/dry-run", {"rule": a_rule(), "tickets": 1}),
        "get_rule": ("GET", rule, None),
        "change_rule": ("PATCH", rule, {"active": False}),
        "delete_rule": ("DELETE", unused_rule, None),
        **await desk_calls(client, ticket_id, admin),
        "get_workflow": ("GET", "/workflow", None),
        "livez": ("GET", "/livez", None),
        "readyz": ("GET", "/readyz", None),
    }


def a_calendar(**fields: object) -> JSON:
    """Return the body of a new calendar with a name of its own."""
    return {"name": secrets.token_hex(6), "zone": "Europe/Berlin", "weekly": {"mon": [["09:00", "17:30"]]}} | fields


async def existing_calendar(client: httpx2.AsyncClient, admin: dict[str, str] | None = None) -> str:
    """Return the path of a calendar. One is created only if there is none: their number is limited."""
    calendars = (await client.get("/calendars", headers=admin)).json()["items"]
    calendar = calendars[0] if calendars else await created(client, "/calendars", a_calendar(), admin)
    return f"/calendars/{calendar['id']}"


def a_policy(calendar: str, **fields: object) -> JSON:
    """Return the body of a new policy with a name of its own, which no ticket of other tests comes under."""
    calendar_id = int(calendar.rpartition("/")[2])
    body = {"name": secrets.token_hex(6), "calendar_id": calendar_id, "first_response_s": 3600}
    return body | {"match": {"tag": ["under-a-policy"]}} | fields


async def existing_policy(client: httpx2.AsyncClient, admin: dict[str, str] | None = None) -> str:
    """Return the path of a policy. One is created only if there is none: their number is limited."""
    policies = (await client.get("/sla-policies", headers=admin)).json()["items"]
    if policies:
        return f"/sla-policies/{policies[0]['id']}"
    body = a_policy(await existing_calendar(client, admin))
    return f"/sla-policies/{(await created(client, '/sla-policies', body, admin))['id']}"


async def archive_other_fields(client: httpx2.AsyncClient, key: str, admin: dict[str, str]) -> None:
    """Archive all fields but one: the number of the others is limited."""
    for field in (await client.get("/fields?archived=false", headers=admin)).json()["items"]:
        if field["key"] != key:
            archived = await client.patch(f"/fields/{field['key']}", json={"archived": True}, headers=admin)
            assert archived.status_code == 200


async def created(client: httpx2.AsyncClient, path: str, body: JSON, headers: dict[str, str] | None) -> JSON:
    """Create a resource and return it."""
    response = await client.post(path, json=body, headers=headers)
    assert response.status_code == 201, response.text
    resource: JSON = response.json()
    return resource
