"""The hostile requests reach every operation. Without a position to put values into, the other tests would pass."""

from collections.abc import Awaitable, Callable, Iterable

import asyncpg

from hostile.positions import operations
from hostile.wire import Request, Response
from support.factories import JSON

Endure = Callable[[Iterable[Request]], Awaitable[list[Response]]]


# Required parameters.
QUERIES = {
    "count_tickets": b"?by=status",
    "get_due": b"?from=2026-03-02T09:00:00Z&seconds=1",
    "get_worked": b"?from=2026-03-02T09:00:00Z&until=2026-03-03T09:00:00Z",
    "propose_holidays": b"?country=DE&year=2026",
    "get_numbers_by_day": b"?since=2026-03-02&until=2026-03-02",
    "get_numbers_by_value": b"?facet=tag&since=2026-03-02&until=2026-03-02",
    "render_canned_reply": b"?ticket_id=1",
}


async def test_a_valid_request_succeeds(endure: Endure, document: JSON, hostile_dsn: str) -> None:
    await merge_again(hostile_dsn)
    await restore_limited(hostile_dsn)
    await remind_again(hostile_dsn)
    await restore_rules(hostile_dsn)
    called = operations(document)
    responses = await endure(
        operation.request(target=operation.target() + QUERIES.get(operation.id, b"")) for operation in called
    )
    statuses = {operation.id: response.status for operation, response in zip(called, responses, strict=True)}
    assert {name: status for name, status in statuses.items() if status not in {200, 201, 202}} == {}


async def merge_again(dsn: str) -> None:
    """Merge the ticket whose merge is undone, which another test may have done already."""
    connection = await asyncpg.connect(dsn)
    async with connection.transaction():
        await connection.execute("SELECT set_config('tickets.change_purpose', 'merge', true)")
        await connection.execute(
            "UPDATE tickets SET merged_into = 4, merged_at = now(), version = version + 1"
            " WHERE id = 3 AND merged_into IS NULL"
        )
    await connection.close()


async def remind_again(dsn: str) -> None:
    """Restore the reminder that another test may have deleted."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "INSERT INTO reminders (ticket_id, principal_id, remind_at) VALUES (6, 'key:hostile', '2035-03-02Z')"
        " ON CONFLICT DO NOTHING"
    )
    await connection.close()


async def restore_limited(dsn: str) -> None:
    """Restore the webhook that another test may have deleted, and delete what they created up to a limit."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "UPDATE webhook_endpoints SET deleted_at = CASE WHEN id > 2 THEN coalesce(deleted_at, now()) END"
    )
    await connection.execute("DELETE FROM sla_policies WHERE id > 1")
    await connection.execute("DELETE FROM calendars WHERE id > 1")
    await connection.execute("DELETE FROM saved_views WHERE id > 2")
    await connection.execute("DELETE FROM canned_replies WHERE id > 2")
    await connection.execute(
        "INSERT INTO saved_views (id, name, query, position) OVERRIDING SYSTEM VALUE VALUES (2, 'view', '', 2)"
        " ON CONFLICT DO NOTHING"
    )
    await connection.execute(
        "INSERT INTO canned_replies (id, title, shortcut, text) OVERRIDING SYSTEM VALUE VALUES (2, 'a', 'reply-2', 'a')"
        " ON CONFLICT DO NOTHING"
    )
    await connection.close()


async def restore_rules(dsn: str) -> None:
    """Restore the rule that another test may have deleted, and delete those that other tests have created."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("DELETE FROM rules WHERE id > 2")
    await connection.execute(
        "INSERT INTO rules (id, name, position, events, actions) OVERRIDING SYSTEM VALUE"
        """ VALUES (2, 'rule 2', 2, '{ticket.created}', '{"add_tags": ["x"]}') ON CONFLICT (id) DO NOTHING"""
    )
    await connection.close()


def test_parameters_and_fields_are_found(document: JSON) -> None:
    found = {operation.id: operation for operation in operations(document)}
    assert {"limit", "cursor", "status", "email", "q", "sort"} <= set(found["list_tickets"].parameters["query"])
    assert {"limit", "cursor"} <= set(found["list_comments"].parameters["query"])
    assert {"ticket_id"} == set(found["get_ticket"].parameters["path"])
    assert {"If-None-Match", "Cache-Control"} <= set(found["get_ticket"].parameters["header"])
    assert {"Idempotency-Key", "If-Match"} <= set(found["create_comment"].parameters["header"])
    assert {"subject", "text", "email"} <= set(found["create_ticket"].fields)
    assert {"subject", "text", "status"} <= set(found["change_ticket"].fields)
    assert {"email", "text", "status"} <= set(found["create_comment"].fields)


def test_operations_that_require_credentials_are_found(document: JSON) -> None:
    public = {operation.id for operation in operations(document) if not operation.needs_credentials}
    assert "livez" in public
    assert not public & {"list_tickets", "create_ticket", "get_ticket", "change_ticket", "create_comment"}
