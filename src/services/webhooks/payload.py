"""The body of a delivery: an event of a ticket as a CloudEvent."""

import json
from datetime import datetime
from typing import Any, Final

from db.postgres.statements import Row
from models import Audience, WebhookDetail
from services.events.catalogue import kind_of
from services.events.cloud_event import SPEC_VERSION, as_json, cloud_event, timestamp, visible_members

# What people write: a thin event names them only.
_TEXTS: Final = frozenset({"subject", "text", "custom", "email", "participants", "reminder"})


def payload(row: Row, detail: WebhookDetail, audience: Audience) -> bytes:
    """Return the body for a reader of the audience.

    The row has `position`, and of the event `ticket_id`, `version`, `type`, `data`, `internal` (JSON texts), `actor`
    and `created_at`; and the new comment, `comment`, if there is one that the reader may see.
    """
    members = visible_members(row, audience)
    content = _thin(members) if detail is WebhookDetail.THIN else members
    if detail is WebhookDetail.FULL and row.comment is not None:
        content["comment"] = json.loads(row.comment)
    return as_json(cloud_event(row, kind_of(row.type, members.keys()), content))


def _thin(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members without texts, whose names are in `changed`."""
    changed = sorted(name for name in members if name in _TEXTS)
    shown = {name: value for name, value in members.items() if name not in _TEXTS}
    return shown | ({"changed": changed} if changed else {})


def test_payload(now: datetime) -> bytes:
    """Return the body of a test."""
    return as_json(
        {
            "specversion": SPEC_VERSION,
            "id": "test",
            "source": "/webhooks",
            "type": "webhook.test",
            "time": timestamp(now),
            "datacontenttype": "application/json",
            "data": {},
        }
    )
