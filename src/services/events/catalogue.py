"""The catalogue of the events that readers get: what each type means, and which type an event has."""

from collections.abc import Mapping, Set
from typing import Any, Final

from models import EventKind, EventType, SystemEventType

_BY_EVENT: Final[Mapping[str, EventKind]] = {
    EventType.CREATED: EventKind.CREATED,
    EventType.MERGED: EventKind.MERGED,
    EventType.LINKED: EventKind.LINKED,
    EventType.COMMENTED: EventKind.COMMENTED,
    EventType.NOTED: EventKind.NOTED,
    EventType.SLA_WARNED: EventKind.SLA_WARNED,
    EventType.SLA_BREACHED: EventKind.SLA_BREACHED,
    EventType.CLOSE_WARNED: EventKind.CLOSE_WARNED,
    EventType.REMINDED: EventKind.REMINDED,
    SystemEventType.WEBHOOK_DISABLED: EventKind.WEBHOOK_DISABLED,
}
_BY_MEMBER: Final = {
    "status": EventKind.TRANSITIONED,
    "assignee_id": EventKind.ASSIGNED,
    "group_id": EventKind.ASSIGNED,
    "tags": EventKind.TAGGED,
}

DESCRIPTIONS: Final[Mapping[EventKind, str]] = {
    EventKind.CREATED: "A ticket was created. `data` has the values that differ from those of an ordinary new ticket.",
    EventKind.MERGED: "The ticket was merged into another one, another one was merged into it, or this was undone.",
    EventKind.LINKED: "A link to another ticket was added or removed, or a follow-up of the ticket was opened.",
    EventKind.COMMENTED: "A public comment was added, perhaps with a transition.",
    EventKind.NOTED: "An internal note was added. Requesters do not get this event.",
    EventKind.SLA_WARNED: "A clock of a service level has 20 % of its budget left. Requesters do not get this event.",
    EventKind.SLA_BREACHED: "The budget of a clock of a service level is spent. Requesters do not get this event.",
    EventKind.CLOSE_WARNED: "The ticket will be closed at `closes_at` unless its requester comments.",
    EventKind.REMINDED: "A reminder of an agent is due. Requesters do not get this event.",
    EventKind.TRANSITIONED: "The status changed without a comment.",
    EventKind.ASSIGNED: "The assignee or the group changed. Requesters do not get this event.",
    EventKind.TAGGED: "The tags changed. Requesters do not get this event.",
    EventKind.CHANGED: "Something else of the ticket changed, such as the subject, the priority or a custom field.",
    EventKind.WEBHOOK_DISABLED: "A webhook was switched off: its receiver sent 410, or failed for five days. "
    "Requesters do not get this event.",
}
_CLOCK: Final = {
    "kind": "first_response",
    "policy_id": 1,
    "budget_s": 3600,
    "due_at": "2026-03-02T13:31:07.120345Z",
}
EXAMPLES: Final[Mapping[EventKind, Mapping[str, Any]]] = {
    EventKind.CREATED: {"priority": {"from": None, "to": "high"}},
    EventKind.MERGED: {"merged_from": 5},
    EventKind.LINKED: {"link_added": {"type": "blocks", "ticket_id": 2}},
    EventKind.COMMENTED: {"status": {"from": "open", "to": "answered"}, "comment_id": 1},
    EventKind.NOTED: {"comment_id": 2},
    EventKind.SLA_WARNED: {"sla_clock": _CLOCK},
    EventKind.SLA_BREACHED: {"sla_clock": _CLOCK},
    EventKind.CLOSE_WARNED: {"closes_at": "2026-03-09T12:33:41.904112Z"},
    EventKind.REMINDED: {"reminder": {"principal_id": "person:17", "note": "Ask the supplier again"}},
    EventKind.TRANSITIONED: {"status": {"from": "open", "to": "closed"}},
    EventKind.ASSIGNED: {"assignee_id": {"from": None, "to": "person:17"}},
    EventKind.TAGGED: {"tags": {"from": [], "to": ["printer"]}},
    EventKind.CHANGED: {"subject": {"from": "The printer is on fire", "to": "The printer is out"}},
    EventKind.WEBHOOK_DISABLED: {"webhook_id": 3, "reason": "failing"},
}
"""`data` of an example of each type."""


def kind_of(event_type: str, members: Set[str]) -> EventKind:
    """Return the type of an event, by its type in the history and the members that the reader may see.

    A later release may have written a type that this one does not know: it is taken for a change.
    """
    if (known := _BY_EVENT.get(event_type)) is not None:
        return known
    return next((found for member, found in _BY_MEMBER.items() if member in members), EventKind.CHANGED)
