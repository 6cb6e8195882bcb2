"""Applies rules to new tickets and to changes. `services.tickets.changes` calls these functions. They are pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from models import Audience, RuleEvent, TicketStatus
from services.access.principal import Principal
from services.automation.rules import RuleBook, TicketState, matching, outcome_of
from services.tickets.edited_ticket import EditedTicket
from services.tickets.new_ticket import APPLIED_RULES, NewTicket

_SYSTEM: Final = "system:"
_CREATED: Final = frozenset({RuleEvent.CREATED})
EVENT_OF: Final[Mapping[str, RuleEvent]] = {
    "status": RuleEvent.TRANSITIONED,
    "assignee_id": RuleEvent.ASSIGNED,
    "group_id": RuleEvent.ASSIGNED,
    "tags": RuleEvent.TAGGED,
    **dict.fromkeys(("subject", "text", "priority", "participants", "custom"), RuleEvent.CHANGED),
}
"""The types of events by the fields whose change makes them, as `services.events.catalogue` names events."""


def with_rules(new: NewTicket, book: RuleBook) -> NewTicket:
    """Return a new ticket as the rules for new tickets leave it."""
    if not book.rules:
        return new
    state = _state_of_new(new)
    rules = matching(book.rules, _CREATED, state)
    if not rules:
        return new
    outcome = outcome_of(rules, state)
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in outcome.values.items()}
    return replace(
        new,
        sent=new.sent.model_copy(update=values),
        custom={**new.custom, **outcome.custom},
        steps=outcome.steps,
        applied_rules=outcome.applied,
    )


def apply_rules(ticket: EditedTicket, book: RuleBook, principal: Principal) -> None:
    """Add to the change of a ticket what the rules for such changes do.

    A change that the service makes by itself has no rules, nor has one of a ticket that was closed before.
    """
    if not book.rules or ticket.was_closed or principal.id.startswith(_SYSTEM):
        return
    events = {EVENT_OF[field] for field in ticket.changed_fields if field in EVENT_OF}
    if not events:
        return
    state = TicketState(ticket.__getitem__, lambda: ticket.custom)
    rules = matching(book.rules, events, state)
    if not rules:
        return
    outcome = outcome_of(rules, state)
    for field, value in outcome.values.items():
        ticket.edit(field, value)
    if outcome.custom:
        ticket.edit_custom(outcome.custom, book.visible)
    if outcome.applied:
        ticket.add_member(APPLIED_RULES, list(outcome.applied), Audience.INTERNAL)
    ticket.steps = outcome.steps


def _state_of_new(new: NewTicket) -> TicketState:
    def field(name: str) -> Any:  # noqa: ANN401 - what the field holds
        return TicketStatus.OPEN if name == "status" else getattr(new.sent, name)

    return TicketState(field, lambda: new.custom)
