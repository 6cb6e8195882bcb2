"""The examples of rules. Each request succeeds unchanged."""

from typing import Any, Final

from api.openapi.directory_examples import example_of
from schemas.rules import Rule

_MATCH: Final = {"domain": ["example.org"], "words": ["printer", "fire"]}
_NEW: Final = {
    "name": "Fires",
    "events": ["ticket.created"],
    "match": _MATCH,
    "actions": {"set": {"priority": "urgent"}, "add_tags": ["fire"], "note": "Call the customer before you reply."},
}
NEW_RULE: Final = {
    "triage": {"summary": "Urgent tickets of one customer", "value": _NEW},
    "any-change": {
        "summary": "Mark tickets that somebody gave a high priority",
        "value": {
            "name": "Important",
            "events": ["ticket.created", "ticket.changed"],
            "match": {"priority": ["high", "urgent"], "domain": ["example.org"]},
            "actions": {"add_tags": ["important"]},
        },
    },
}
RULE_PATCH: Final = {
    "deactivate": {"summary": "Deactivate it", "value": {"active": False}},
    "order": {"summary": "Apply it before the others", "value": {"position": 0}},
}
DRY_RUN: Final = {"recent": {"summary": "Try it on recent tickets", "value": {"rule": _NEW, "tickets": 200}}}

_RULE: Final = example_of(
    Rule,
    name="Fires",
    match={"priority": [], "group_id": [], "tag": [], "custom": {}, "status": [], **_MATCH},
    actions={
        "set": {"priority": "urgent", "group_id": None, "assignee_id": None, "custom": {}},
        "assign": None,
        "add_tags": ["fire"],
        "note": "Call the customer before you reply.",
    },
)
_CHANGES: Final = {
    "priority": {"from": "normal", "to": "urgent"},
    "tags": {"from": [], "to": ["fire"]},
    "note": "Call the customer before you reply.",
}
RULE_RESPONSES: Final[dict[str, Any]] = {
    "rule": _RULE,
    "rules": {"items": [_RULE]},
    "rule-dry-run": {"examined": 200, "matched": 1, "items": [{"ticket_id": 42, "changes": _CHANGES}]},
}
