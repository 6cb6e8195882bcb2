"""What happens to a ticket when a timer is due: a warning, a breach, or the automatic close."""

from datetime import datetime
from typing import Final

from models import Audience, EventType, Role, TicketStatus
from services.access.principal import Principal
from services.automation import auto_close
from services.automation.completion import put_clocks, put_timer
from services.automation.settings import AutomationSettings
from services.sla.clocks import Clock, breach, settle, warn
from services.sla.stored_clocks import clocks_of, terms_of
from services.tickets.edited_ticket import EditedTicket

TIMERS: Final = Principal("system:timers", Role.ADMIN, name="Timers")
"""Changes tickets when their timers are due; the events name what the timer was for."""
SLA: Final = "system:sla"
AUTO_CLOSE: Final = "system:auto-close"

REPAIRED: Final = "repaired"
"""The member of an event that names the columns that were wrong."""
CLOCK_FACT: Final = "sla_clock"
_CLOSES_FACT: Final = "closes_at"


def fire(ticket: EditedTicket, settings: AutomationSettings) -> None:
    """Make the change that the first due timer of a ticket requires; none if no timer is due at its time."""
    timer_at: datetime | None = ticket["timer_at"]
    if timer_at is None or timer_at > ticket.at or ticket.was_closed or _settle(ticket, settings):
        return
    clock = _next_clock(ticket)
    if clock is not None and clock.next_at is not None and clock.next_at <= ticket.at:
        ticket.actor = SLA
        _fire_clock(ticket, clock, settings)
    else:
        ticket.actor = AUTO_CLOSE
        _fire_close(ticket, settings)


def _settle(ticket: EditedTicket, settings: AutomationSettings) -> bool:
    """Pause clocks and clear plans that the status contradicts, and return whether there were any.

    A release that knows neither may have changed the status.
    """
    clocks = clocks_of(ticket["sla"])
    settled = settle(clocks, ticket.status, ticket.at, settings.calendars)
    is_planned_in_vain = ticket["auto_close_at"] is not None and ticket.status is not TicketStatus.ANSWERED
    if settled == clocks and not is_planned_in_vain:
        return False
    ticket.actor = SLA
    put_clocks(ticket, settled, terms_of(ticket["sla_terms"]))
    if is_planned_in_vain:
        auto_close.plan(ticket, None)
    put_timer(ticket, settings)
    ticket.add_fact(EventType.CHANGED, REPAIRED, sorted(ticket.changed_fields), Audience.INTERNAL)
    return True


def _fire_clock(ticket: EditedTicket, clock: Clock, settings: AutomationSettings) -> None:
    """Warn of a clock, or record its breach."""
    is_warning = clock.warned_at is None
    event_type = EventType.SLA_WARNED if is_warning else EventType.SLA_BREACHED
    fact = {"kind": clock.kind, "policy_id": clock.policy_id, "budget_s": clock.budget_s, "due_at": clock.due_at}
    ticket.add_fact(event_type, CLOCK_FACT, fact, Audience.INTERNAL)
    changed = (warn if is_warning else breach)(clocks_of(ticket["sla"]), clock.kind, ticket.at)
    put_clocks(ticket, changed, terms_of(ticket["sla_terms"]))
    put_timer(ticket, settings)


def _fire_close(ticket: EditedTicket, settings: AutomationSettings) -> None:
    """Warn of the automatic close, or close the ticket.

    If admins have switched the automatic close off meanwhile, the plan is cleared.
    """
    close_at: datetime = ticket["auto_close_at"]
    if settings.close.after(ticket["group_id"]) is None:
        auto_close.plan(ticket, None)
        put_timer(ticket, settings)
    elif ticket["close_warned_at"] is None:
        auto_close.set_close_at(ticket, max(close_at, ticket.at + settings.close.notice))
        ticket.put({"close_warned_at": ticket.at})
        ticket.add_fact(EventType.CLOSE_WARNED, _CLOSES_FACT, ticket["auto_close_at"], Audience.PUBLIC)
        put_timer(ticket, settings)
    else:
        ticket.move_to(TicketStatus.CLOSED)


def _next_clock(ticket: EditedTicket) -> Clock | None:
    """Return the clock with the next warning or breach."""
    times = [(at, clock) for clock in clocks_of(ticket["sla"]) if (at := clock.next_at) is not None]
    return min(times, key=lambda each: each[0])[1] if times else None
