"""The examples of the OpenAPI document. Each request succeeds unchanged on a new ticket."""

from typing import Any, Final

from api.openapi.directory_examples import example_of
from schemas.reminders import ListedReminder, Reminder
from schemas.tickets import Ticket

_SUBJECT: Final = "The printer is on fire"
_TEXT: Final = "It started after lunch."
_ALICE: Final = "alice@example.com"
_BOB: Final = "bob@example.com"
_ADVICE: Final = "Have you tried water?"

NEW_TICKET: Final = {
    "a-ticket": {"summary": "A ticket", "value": {"subject": _SUBJECT, "text": _TEXT, "email": _ALICE}},
    "with-priority-and-tags": {
        "summary": "A ticket with what agents work with",
        "value": {
            "subject": _SUBJECT,
            "text": _TEXT,
            "email": _ALICE,
            "priority": "urgent",
            "tags": ["printer", "floor-3"],
        },
    },
}
TICKET_PATCH: Final = {
    "close": {"summary": "Close the ticket", "value": {"status": "closed"}},
    "edit": {"summary": "Edit subject and text", "value": {"subject": "The printer is out", "text": "It burned down."}},
    "triage": {"summary": "Set priority and tags", "value": {"priority": "high", "tags": ["printer"]}},
    "edit-and-answer": {
        "summary": "Edit the subject and change the status, as one change",
        "value": {"subject": "The printer is on fire (floor 3)", "status": "answered"},
    },
}
RENAME_TAG: Final = {"rename": {"summary": "Correct a tag", "value": {"from": "pritner", "to": "printer"}}}
MERGE: Final = {"merge": {"summary": "Merge into ticket 2", "value": {"into": 2}}}
REMINDER: Final = {
    "reminder": {
        "summary": "A reminder with a note",
        "value": {"remind_at": "2035-03-02T09:00:00Z", "note": "Ask the supplier again"},
    },
    "snooze": {
        "summary": "Snooze the ticket until the reminder",
        "value": {"remind_at": "2035-03-02T09:00:00+01:00", "snooze": True},
    },
}
NEW_COMMENT: Final = {
    "reply": {
        "summary": "Reply, and set the status to answered",
        "value": {"email": _BOB, "text": _ADVICE, "status": "answered"},
    },
    "remark": {
        "summary": "Comment without a status change",
        "value": {"email": _ALICE, "text": "It is still burning."},
    },
    "note": {
        "summary": "A note that only agents see",
        "value": {"email": _BOB, "text": "She calls every year.", "visibility": "internal"},
    },
}

# The members of a ticket come from the schema, each with its own example, so that a new field needs no edit here.
_CLOCK: Final = {
    "kind": "first_response",
    "state": "running",
    "due_at": "2026-03-02T13:31:07.120345Z",
    "remaining_s": 3600,
    "policy_id": 1,
    "calendar_id": 1,
    "budget_s": 3600,
    "spent_s": 0.0,
    "running_since": "2026-03-02T12:31:07.120345Z",
    "warn_at": "2026-03-02T13:19:07.120345Z",
    "warned_at": None,
    "breached_at": None,
    "met_at": None,
}
_MET: Final = {
    "state": "met",
    "due_at": None,
    "remaining_s": 3445,
    "spent_s": 154.783767,
    "running_since": None,
    "warn_at": None,
    "met_at": "2026-03-02T12:33:41.904112Z",
}
_NEW: Final[dict[str, Any]] = {name: (field.examples or [None])[0] for name, field in Ticket.model_fields.items()} | {
    "closed_at": None,
    "participants": [],
    "custom": {},
    "assignee_id": None,
    "group_id": None,
    "tags": [],
    "source": None,
    "external_id": None,
    "auto_close_at": None,
    "sla": [_CLOCK],
    "due_at": _CLOCK["due_at"],
}
_COMMENT: Final = {
    "id": 1,
    "ticket_id": 1,
    "email": _BOB,
    "text": _ADVICE,
    "created_at": "2026-03-02T12:33:41.904112Z",
    "visibility": "public",
}
_ANSWERED: Final = _NEW | {
    "status": "answered",
    "allowed_transitions": ["awaiting_reply", "closed"],
    "version": 2,
    "comment_count": 1,
    "updated_at": _COMMENT["created_at"],
    "auto_close_at": "2026-03-09T12:33:41.904112Z",
    "sla": [_CLOCK | _MET],
    "due_at": None,
}
_CLOSED: Final = _ANSWERED | {
    "status": "closed",
    "allowed_transitions": [],
    "version": 3,
    "updated_at": "2026-03-02T13:02:15.002731Z",
    "closed_at": "2026-03-02T13:02:15.002731Z",
    "auto_close_at": None,
}
_HISTORY: Final = [
    {"version": 1, "type": "created", "data": {}, "actor": "key:crm", "created_at": _NEW["created_at"]},
    {
        "version": 2,
        "type": "commented",
        "data": {
            "comment_id": 1,
            "status": {"from": "open", "to": "answered"},
            "auto_close_at": {"from": None, "to": "2026-03-09T12:33:41.904112Z"},
        },
        "actor": "key:crm",
        "created_at": _COMMENT["created_at"],
    },
    {
        "version": 3,
        "type": "changed",
        "data": {
            "status": {"from": "answered", "to": "closed"},
            "auto_close_at": {"from": "2026-03-09T12:33:41.904112Z", "to": None},
        },
        "actor": "key:crm",
        "created_at": _CLOSED["closed_at"],
    },
]

_REMINDER: Final = example_of(Reminder, reminded_at=None)
_READY: Final = {
    "ready": True,
    "stopping": False,
    "database": "ok",
    "migrations": "ok",
    "cache": "ok",
    "background": "ok",
    "failing_work": [],
}

RESPONSES: Final[dict[str, Any]] = {
    "new-ticket": _NEW,
    "ticket": _ANSWERED
    | {"comments": [_COMMENT], "comments_truncated": False, "follow_ups": [], "merged": [], "links": []},
    "closed-ticket": _CLOSED,
    "tickets": {"items": [_CLOSED], "next_cursor": None},
    "comment": _COMMENT,
    "comments": {"items": [_COMMENT], "next_cursor": None},
    "history": {"items": _HISTORY, "next_cursor": None},
    "counts": {
        "by": "status",
        "counts": [{"value": "open", "count": 12}, {"value": "closed", "more_than": 10_000}],
        "truncated": False,
    },
    "tags": {"items": [{"tag": "printer", "count": 12}, {"tag": "vip", "more_than": 1_000}], "next_cursor": None},
    "tag-renamed": {"renamed": 12, "is_complete": True},
    "reminder": _REMINDER,
    "reminders": {"items": [example_of(ListedReminder, reminded_at=None)], "next_cursor": None},
    "alive": {"status": "ok"},
    "ready": _READY,
    "without-cache": _READY | {"cache": "unavailable"},
    "without-database": _READY | {"ready": False, "database": "unavailable", "migrations": "unknown"},
    "stopping": _READY | {"ready": False, "stopping": True},
}
