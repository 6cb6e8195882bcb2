"""The body of a delivery: an event of a ticket as a CloudEvent 1.0 in JSON, and the types of these events."""

import json
from collections.abc import Set
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from db.postgres.statements import Row
from models import Audience, EventType, WebhookDetail

CONTENT_TYPE: Final = "application/cloudevents+json"


class PayloadType(StrEnum):
    """The type of a CloudEvent. An event with several facts has the first type of this order that applies."""

    CREATED = "ticket.created"
    MERGED = "ticket.merged"
    LINKED = "ticket.linked"
    COMMENTED = "ticket.commented"
    NOTED = "ticket.noted"
    TRANSITIONED = "ticket.transitioned"
    ASSIGNED = "ticket.assigned"
    TAGGED = "ticket.tagged"
    CHANGED = "ticket.changed"


_BY_EVENT: Final = {
    EventType.CREATED: PayloadType.CREATED,
    EventType.MERGED: PayloadType.MERGED,
    EventType.LINKED: PayloadType.LINKED,
    EventType.COMMENTED: PayloadType.COMMENTED,
    EventType.NOTED: PayloadType.NOTED,
}
_BY_MEMBER: Final = {
    "status": PayloadType.TRANSITIONED,
    "assignee_id": PayloadType.ASSIGNED,
    "group_id": PayloadType.ASSIGNED,
    "tags": PayloadType.TAGGED,
}
# What people write: a thin event names them only.
_TEXTS: Final = frozenset({"subject", "text", "custom", "email", "participants", "participants_added"})


def type_of(event_type: str, members: Set[str]) -> PayloadType:
    """Return the type of an event, by its type in the history and the members that the reader may see."""
    if (known := _BY_EVENT.get(EventType(event_type))) is not None:
        return known
    return next((found for member, found in _BY_MEMBER.items() if member in members), PayloadType.CHANGED)


def payload(row: Row, detail: WebhookDetail, audience: Audience) -> bytes:
    """Return the body for a reader of the audience.

    The row has `position`, and of the event `ticket_id`, `version`, `type`, `data`, `internal` (JSON texts), `actor`
    and `created_at`; and the new comment, `comment`, if there is one that the reader may see.
    """
    members: dict[str, Any] = json.loads(row.data)
    if audience is Audience.INTERNAL and row.internal is not None:
        internal: dict[str, Any] = json.loads(row.internal)
        if "custom" in members and "custom" in internal:
            internal["custom"] |= members["custom"]
        members |= internal
    content = _thin(members) if detail is WebhookDetail.THIN else members
    if detail is WebhookDetail.FULL and row.comment is not None:
        content["comment"] = json.loads(row.comment)
    event = {
        "specversion": "1.0",
        "id": f"{row.ticket_id}.{row.version}",
        "source": "/tickets",
        "type": type_of(row.type, members.keys()),
        "subject": str(row.ticket_id),
        "time": _timestamp(row.created_at),
        "datacontenttype": "application/json",
        "sequence": f"{row.position:020d}",
        "ticketversion": row.version,
        "actor": row.actor,
        "data": content,
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _thin(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members without texts, whose names are in `changed`."""
    changed = sorted(name for name in members if name in _TEXTS)
    shown = {name: value for name, value in members.items() if name not in _TEXTS}
    return shown | ({"changed": changed} if changed else {})


def test_payload(now: datetime) -> bytes:
    """Return the body of a test."""
    event = {
        "specversion": "1.0",
        "id": "test",
        "source": "/webhooks",
        "type": "webhook.test",
        "time": _timestamp(now),
        "datacontenttype": "application/json",
        "data": {},
    }
    return json.dumps(event, separators=(",", ":")).encode()


def _timestamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
