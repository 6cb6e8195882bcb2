"""Resources in the state in which an operation of the document succeeds."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2

from support.api_calls import a_calendar, a_person, a_policy, existing_calendar
from support.desk import new_bulk_change, new_reply, new_view
from support.factories import JSON, a_ticket
from support.rules import new_rule
from support.webhooks import new_replay, new_webhook, webhook_with_delivery

# The values of the examples that must be unique, by the operations whose bodies have them.
_UNIQUE = (
    "alice@example.com",
    "Network",
    "crm",
    "device",
    "Support",
    "Urgent",
    "Standard",
    "Fires",
    "Important",
    "water",
)
_CREATING = frozenset(
    {
        "create_person",
        "create_group",
        "change_group",
        "create_key",
        "create_field",
        "create_calendar",
        "create_sla_policy",
        "create_rule",
        "create_canned_reply",
    }
)


async def prepared_path(client: httpx2.AsyncClient, operation: str, path: str, parameters: dict[str, Any]) -> str:
    """Return the path of an operation for new resources; a ticket is closed or merged if the operation needs that.

    The client is an admin's.
    """
    values = dict(parameters)
    makers: dict[str, Callable[[], Awaitable[Any]]] = {
        "ticket_id": lambda: _ticket_for(client, operation),
        "other_id": lambda: _new(client, "/tickets", a_ticket()),
        "person_id": lambda: _new(client, "/people", a_person()),
        "principal_id": lambda: _new(client, "/people", a_person()),
        "group_id": lambda: _new(client, "/groups", {"name": secrets.token_hex(6)}),
        "key_id": lambda: _new(client, "/keys", {"name": secrets.token_hex(6), "role": "agent"}),
        "key": lambda: _new(client, "/fields", a_field(), "key"),
        "calendar_id": lambda: _calendar(client, operation),
        "policy_id": lambda: _policy(client),
    }
    for name, make in makers.items():
        if f"{{{name}}}" in path:
            values[name] = await make()
    if "{rule_id}" in path or operation == "create_rule":  # which makes room for another one
        values["rule_id"] = await new_rule(client)
    if "{run_id}" in path:
        values["run_id"] = await new_bulk_change(client, await _new(client, "/tickets", a_ticket()))
    if "{view_id}" in path or operation == "create_view":  # which makes room for another one
        values["view_id"] = await new_view(client)
    if "{reply_id}" in path or operation == "create_canned_reply":
        values["reply_id"] = await new_reply(client)
    if "{webhook_id}" in path:
        values |= await _webhook_for(client, path)
    return path.format_map(values)


async def prepared_body(client: httpx2.AsyncClient, operation: str, body: JSON | None) -> JSON | None:
    """Return the body of an example, with a ticket that exists and with unique values in place of its own."""
    if body is None:
        return None
    if "into" in body:
        return {"into": await _new(client, "/tickets", a_ticket())}
    prepared: JSON = unique(operation, body)
    if "calendar_id" in body:
        prepared["calendar_id"] = await _calendar(client)
    return prepared


def unique(operation: str, value: Any) -> Any:
    """Return a value of an example with unique values in place of those that another test may have used."""
    if operation not in _CREATING:
        return value
    if isinstance(value, dict):
        return {name: unique(operation, each) for name, each in value.items()}
    if isinstance(value, str):
        for each in _UNIQUE:
            value = value.replace(each, f"{each[0]}{secrets.token_hex(4)}{each[1:]}")
    return value


def examples_of(operation: JSON) -> dict[str, Any]:
    """Return the first example of each parameter of a path."""
    parameters = operation.get("parameters", ())
    return {each["name"]: each["schema"]["examples"][0] for each in parameters if each["in"] == "path"}


def a_field() -> JSON:
    """Return the body of a new field with a key of its own."""
    return {"key": f"f{secrets.token_hex(6)}", "label": "Field", "type": "text"}


async def _calendar(client: httpx2.AsyncClient, operation: str = "") -> int:
    """Return the id of a calendar: a new one for a change, which the example expects at its first version."""
    if operation == "change_calendar":
        calendar_id: int = await _new(client, "/calendars", a_calendar())
        return calendar_id
    return int((await existing_calendar(client)).rpartition("/")[2])


async def _policy(client: httpx2.AsyncClient) -> int:
    policy_id: int = await _new(client, "/sla-policies", a_policy(await existing_calendar(client)))
    return policy_id


async def _ticket_for(client: httpx2.AsyncClient, operation: str) -> int:
    ticket_id: int = await _new(client, "/tickets", a_ticket())
    if operation == "open_follow_up":
        assert (await client.patch(f"/tickets/{ticket_id}", json={"status": "closed"})).is_success
    if operation in {"get_reminder", "delete_reminder"}:
        await remind(client, ticket_id)
    if operation == "undo_merge":
        into = {"into": await _new(client, "/tickets", a_ticket())}
        assert (await client.post(f"/tickets/{ticket_id}/merge", json=into)).is_success
    return ticket_id


async def remind(client: httpx2.AsyncClient, ticket_id: int) -> None:
    """Set a reminder of the client on a ticket."""
    reminder = {"remind_at": "2035-03-02T09:00:00Z"}
    assert (await client.put(f"/tickets/{ticket_id}/reminder", json=reminder)).is_success


async def _webhook_for(client: httpx2.AsyncClient, path: str) -> dict[str, int]:
    if "{delivery_id}" in path:
        webhook_id, delivery_id = await webhook_with_delivery(client)
        return {"webhook_id": webhook_id, "delivery_id": delivery_id}
    webhook_id = (await new_webhook(client))["id"]
    if "{replay_id}" in path:
        return {"webhook_id": webhook_id, "replay_id": await new_replay(client, webhook_id)}
    return {"webhook_id": webhook_id}


async def _new(client: httpx2.AsyncClient, path: str, body: JSON, key: str = "id") -> Any:
    created = await client.post(path, json=body)
    assert created.status_code == 201, created.text
    return created.json()[key]
