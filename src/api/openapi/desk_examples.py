"""The examples of what agents use to work. Each request succeeds unchanged."""

from typing import Any, Final

from api.openapi.directory_examples import example_of
from schemas.bulk import BulkDryRun, BulkRefusals, BulkRun
from schemas.canned_replies import CannedReply, RenderedReply
from schemas.views import SavedView

NEW_VIEW: Final = {
    "queue": {
        "summary": "The queue of the caller",
        "value": {"name": "My queue", "query": "status=open&status=awaiting_reply&assignee=me&sort=priority"},
    }
}
VIEW_PATCH: Final = {
    "rename": {"summary": "Rename it", "value": {"name": "My open tickets"}},
    "order": {"summary": "Move it to the front", "value": {"position": 0}},
}
NEW_CANNED_REPLY: Final = {
    "question": {
        "summary": "A question to the requester",
        "value": {
            "title": "Ask about water",
            "shortcut": "water",
            "text": "Hello {{ticket.requester.name}}, have you tried water? {{me.name}}",
        },
    }
}
CANNED_REPLY_PATCH: Final = {
    "edit": {"summary": "Change the text", "value": {"text": "Ticket {{ticket.id}}: have you tried water?"}}
}

BULK: Final = {
    "query": {
        "summary": "Close all tickets that were answered last year",
        "value": {
            "query": "status=answered&updated_before=2026-01-01T00:00:00Z",
            "action": {"status": "closed", "add_tags": ["cleaned-up"]},
        },
    },
    "ids": {"summary": "Give up two tickets", "value": {"ids": [1, 2], "action": {"assignee_id": None}}},
}

_VIEW: Final = example_of(SavedView)
_REPLY: Final = example_of(CannedReply)
DESK_EXAMPLES: Final[dict[str, Any]] = {
    "bulk-dry-run": example_of(BulkDryRun, refused=[example_of(BulkRefusals)]),
    "bulk-run": example_of(BulkRun, results=[{"ticket_id": 1, "version": 3, "changed": True}]),
    "view": _VIEW,
    "views": {"items": [_VIEW]},
    "view-counts": {"items": [{"view_id": 1, "count": 12}, {"view_id": 2, "more_than": 99}]},
    "canned-reply": _REPLY,
    "canned-replies": {"items": [_REPLY], "next_cursor": None},
    "rendered-reply": example_of(RenderedReply),
}
