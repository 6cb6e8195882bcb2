"""The body of a delivery: an event as a CloudEvent."""

import json
from datetime import datetime
from typing import Any, Final

from db.postgres.statements import Row
from models import SYSTEM_TICKET_ID, Audience, WebhookDetail
from services.events.cloud_event import SPEC_VERSION, WEBHOOKS_SOURCE, as_json, event_for, timestamp

TEST_TYPE: Final = "webhook.test"
# What a thin event contains: ids, times, the words of the catalogue, and tags. It only names every other member, also
# one that a later release adds.
_SHOWN: Final = frozenset(
    {
        *("status", "priority", "assignee_id", "group_id", "tags"),
        *("comment_id", "follow_up_id", "link_added", "link_removed"),
        *("merged_into", "merged_from", "unmerged_from"),
        *("auto_close_at", "closes_at", "sla_terms", "sla_clock", "applied_rules"),
    }
)


def payload(row: Row, detail: WebhookDetail, audience: Audience) -> bytes:
    """Return the body for a reader of the audience.

    The row has `position`, and of the event `ticket_id`, `version`, `type`, `data`, `internal` (JSON texts), `actor`
    and `created_at`; and the new comment, `comment`, if there is one that the reader may see.
    """
    _, event = event_for(row, audience)
    if row.ticket_id == SYSTEM_TICKET_ID:
        return as_json(event)  # it has no texts
    if detail is WebhookDetail.THIN:
        event["data"] = _thin(event["data"])
    elif row.comment is not None:
        event["data"]["comment"] = json.loads(row.comment)
    return as_json(event)


def _thin(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members that a thin event contains, and the names of the others in `changed`."""
    changed = sorted(members.keys() - _SHOWN)
    shown = {name: value for name, value in members.items() if name in _SHOWN}
    return shown | ({"changed": changed} if changed else {})


def test_event(now: datetime) -> dict[str, Any]:
    """Return the CloudEvent of a test, which concerns no ticket."""
    return {
        "specversion": SPEC_VERSION,
        "id": "test",
        "source": WEBHOOKS_SOURCE,
        "type": TEST_TYPE,
        "time": timestamp(now),
        "datacontenttype": "application/json",
        "data": {},
    }
