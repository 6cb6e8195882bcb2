"""The examples of what agents use to work. Each request succeeds unchanged."""

from typing import Any, Final

from api.openapi.directory_examples import example_of
from schemas.bulk import BulkDryRun, BulkRefusals, BulkRun
from schemas.canned_replies import CannedReply, RenderedReply
from schemas.ticket_numbers import (
    Durations,
    EventCount,
    NumbersByDay,
    NumbersByValue,
    OldestTicket,
    WithinServiceLevel,
)
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
_COUNT: Final = {"count": 12, "query": "status=open&status=awaiting_reply&assignee=none"}
_AGE: Final = {"count": 3, "min_age_s": 604_800, "max_age_s": None}
_NUMBERS: Final = {
    "opened": example_of(EventCount),
    "closed": example_of(EventCount),
    "first_response": example_of(Durations),
    "time_to_close": example_of(Durations),
    "within_service_level": example_of(WithinServiceLevel),
}
DESK_EXAMPLES: Final[dict[str, Any]] = {
    "numbers-now": {
        "at": "2026-03-02T12:31:07.120345Z",
        "waiting": [
            {"status": "open", "ages": [{**_AGE, "query": "status=open&created_before=2026-02-23T12:31:07.120345Z"}]}
        ],
        "unassigned": _COUNT,
        "oldest": [example_of(OldestTicket)],
        **dict.fromkeys(("at_risk", "breached", "due_in_an_hour"), _COUNT),
    },
    "numbers-by-day": example_of(NumbersByDay, days=[{"day": "2026-03-02", **_NUMBERS}]),
    "numbers-by-value": example_of(NumbersByValue, values=[{"value": "person:17", **_NUMBERS}]),
    "bulk-dry-run": example_of(BulkDryRun, refused=[example_of(BulkRefusals)]),
    "bulk-run": example_of(BulkRun, results=[{"ticket_id": 1, "version": 3, "changed": True}]),
    "view": _VIEW,
    "views": {"items": [_VIEW]},
    "view-counts": {"items": [{"view_id": 1, "count": 12}, {"view_id": 2, "more_than": 99}]},
    "canned-reply": _REPLY,
    "canned-replies": {"items": [_REPLY], "next_cursor": None},
    "rendered-reply": example_of(RenderedReply),
}
