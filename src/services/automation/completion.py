"""Completes new tickets and changes by what happens by itself: service levels and the plan of the automatic close.

`services.tickets.changes` calls these functions for every change, within its transaction. They are pure.
"""

import json
from collections.abc import Awaitable, Callable, Set
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from db.postgres.statements import Row, Statement
from models import Audience, Priority, TicketStatus
from services.access.principal import Principal
from services.automation import auto_close
from services.automation.clock import CLOCK
from services.automation.matching import MATCHED
from services.automation.settings import AutomationSettings
from services.sla.clocks import Clock, Terms, assign, move
from services.sla.stored_clocks import clocks_of, columns_of, terms_as_json, terms_of
from services.tickets.edited_ticket import EditedTicket
from services.tickets.new_ticket import Automatic, NewTicket

TERMS_FACT: Final = "sla_terms"


def terms_of_new(new: NewTicket, settings: AutomationSettings) -> Terms | None:
    """Return what a new ticket is promised."""
    if not settings.policies:
        return None

    def field(name: str) -> Any:  # noqa: ANN401 - what the field holds
        value = getattr(new.sent, name, None)
        return (value or Priority.NORMAL) if name == "priority" else value

    return settings.terms_for(field, new.custom)


Read = Callable[[Statement], Awaitable[Row | None]]


async def completed(new: NewTicket, settings: AutomationSettings, read: Read) -> NewTicket:
    """Return a new ticket with what a policy promises it. `read` reads the clock of the database, if that is needed."""
    if terms_of_new(new, settings) is None:
        return new
    row = await read(CLOCK)
    assert row is not None  # noqa: S101 - the statement reads no table
    return completed_new(new, settings, row.now)


def completed_new(new: NewTicket, settings: AutomationSettings, now: datetime) -> NewTicket:
    """Return a ticket that is created at this time of the database with what a policy promises it."""
    terms = terms_of_new(new, settings)
    return new if terms is None else with_clocks(new, terms, settings, now)


def with_clocks(new: NewTicket, terms: Terms, settings: AutomationSettings, now: datetime) -> NewTicket:
    """Return a new ticket with the clocks of a policy, created at a time of the database."""
    clocks = assign((), terms, TicketStatus.OPEN, now, settings.calendars)
    columns = dict(columns_of(clocks, terms))
    columns["timer_at"] = min((at for clock in clocks if (at := clock.next_at) is not None), default=None)
    facts = {TERMS_FACT: {"from": None, "to": terms_as_json(terms)}}
    return replace(new, automatic=Automatic(now, columns, facts))


def has_calendars(ticket: EditedTicket, settings: AutomationSettings) -> bool:
    """Return whether the calendars of the clocks of a ticket are among the settings."""
    terms = terms_of(ticket["sla_terms"])
    ids = {clock.calendar_id for clock in clocks_of(ticket["sla"])} | ({terms.calendar_id} if terms else set())
    return ids <= settings.calendars.keys()


def complete(ticket: EditedTicket, settings: AutomationSettings, principal: Principal) -> None:
    """Add to the change of a ticket what follows from it: its clocks and timers.

    Clocks whose calendar this process cannot compute stay as they are.
    """
    if ticket.was_closed or not ticket.is_changed:
        return
    changed = ticket.changed_fields
    auto_close.replan(ticket, settings.close, principal)
    if (changed & MATCHED or ticket.transition) and has_calendars(ticket, settings):
        _complete_clocks(ticket, settings, changed)
    if ticket.changed_fields != changed:
        put_timer(ticket, settings)


def _complete_clocks(ticket: EditedTicket, settings: AutomationSettings, changed: Set[str]) -> None:
    if changed & MATCHED and (settings.policies or ticket["sla_terms"] is not None):
        reassign(ticket, settings)
    if ticket.transition is not None and (ticket["sla"] or ticket["sla_terms"]):
        source, target = map(TicketStatus, ticket.transition)
        terms = terms_of(ticket["sla_terms"])
        put_clocks(ticket, move(clocks_of(ticket["sla"]), terms, source, target, ticket.at, settings.calendars), terms)


def reassign(ticket: EditedTicket, settings: AutomationSettings) -> None:
    """Put a ticket under the policy that matches it now, and show that in the event."""
    before = terms_of(ticket["sla_terms"])
    terms = settings.terms_for(ticket.__getitem__, json.loads(ticket["custom"]))
    if (before and before.policy_id) == (terms and terms.policy_id):
        return  # an edited policy does not change what was promised
    put_under(ticket, terms, settings)


def put_under(ticket: EditedTicket, terms: Terms | None, settings: AutomationSettings) -> None:
    """Put a ticket under terms, and show that in the event."""
    before = terms_of(ticket["sla_terms"])
    source = TicketStatus(ticket.transition[0]) if ticket.transition is not None else ticket.status
    clocks = assign(clocks_of(ticket["sla"]), terms, source, ticket.at, settings.calendars)
    put_clocks(ticket, clocks, terms)
    ticket.record(TERMS_FACT, terms_as_json(before), terms_as_json(terms), Audience.INTERNAL)


def put_clocks(ticket: EditedTicket, clocks: tuple[Clock, ...], terms: Terms | None) -> None:
    """Set the clocks of a ticket."""
    ticket.put(columns_of(clocks, terms))


def put_timer(ticket: EditedTicket, settings: AutomationSettings) -> None:
    """Set the time at which something happens to the ticket by itself."""
    times = [clock.next_at for clock in clocks_of(ticket["sla"])]
    times.append(auto_close.next_at(ticket, settings.close))
    ticket.put({"timer_at": min((at for at in times if at is not None), default=None)})
