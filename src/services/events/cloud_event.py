"""An event as a CloudEvent 1.0 (https://github.com/cloudevents/spec), for a reader of an audience."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from db.postgres.statements import Row
from models import SYSTEM_TICKET_ID, Audience, EventKind
from services.events.catalogue import kind_of

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/cloudevents+json"
SOURCE: Final = "/tickets"
WEBHOOKS_SOURCE: Final = "/webhooks"
WEBHOOKS_ACTOR: Final = "system:webhooks"


def visible_members(row: Row, audience: Audience) -> dict[str, Any]:
    """Return the facts of an event that the audience may see, from the JSON texts in `data` and `internal`."""
    members: dict[str, Any] = json.loads(row.data)
    if audience is Audience.INTERNAL and row.internal is not None:
        internal: dict[str, Any] = json.loads(row.internal)
        if "custom" in members and "custom" in internal:
            internal["custom"] |= members["custom"]
        members |= internal
    return members


def cloud_event(row: Row, kind: EventKind, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a CloudEvent of a row with `ticket_id`, `version`, `actor`, `created_at` and `position`."""
    is_of_ticket = row.ticket_id != SYSTEM_TICKET_ID
    return {
        "specversion": SPEC_VERSION,
        "id": f"{row.ticket_id}.{row.version}",
        "source": SOURCE if is_of_ticket else WEBHOOKS_SOURCE,
        "type": kind,
        "subject": str(row.ticket_id if is_of_ticket else data["webhook_id"]),
        "time": timestamp(row.created_at),
        "datacontenttype": "application/json",
        "sequence": f"{row.position:020d}",
        **({"ticketversion": row.version} if is_of_ticket else {}),
        "actor": row.actor,
        "data": data,
    }


def event_for(row: Row, audience: Audience) -> tuple[EventKind, dict[str, Any]]:
    """Return the CloudEvent of a row for an audience, with all facts that it may see, and its type."""
    members = visible_members(row, audience)
    kind = kind_of(row.type, members.keys())
    return kind, cloud_event(row, kind, members)


def as_json(event: Mapping[str, Any]) -> bytes:
    """Return an event as JSON in UTF-8."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def timestamp(time: datetime) -> str:
    """Return a time in UTC as RFC 3339 writes it."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
