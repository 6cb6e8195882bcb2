"""Computes the clocks and timers of a ticket again from its events, for tests and for repairs.

It computes with the calendars as they are now. What was promised is in the events.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Text, bindparam, cast, select

from db.postgres.statements import Row, Statement
from models import ClockKind, EventType, TicketStatus
from services.automation.auto_close import FACT as CLOSE_FACT
from services.automation.auto_close import AutoCloseTimes
from services.automation.completion import TERMS_FACT
from services.automation.due import CLOCK_FACT
from services.sla.clocks import Clock, Terms, WorkingTimes, assign, breach, move, warn
from services.sla.stored_clocks import columns_of, terms_of_json
from services.tickets.statements import events

EVENTS: Final = Statement(
    select(
        events.c.type,
        cast(events.c.data, Text).label("data"),
        cast(events.c.internal, Text).label("internal"),
        events.c.created_at,
    )
    .where(events.c.ticket_id == bindparam("ticket_id", type_=BigInteger))
    .order_by(events.c.version)
)


@dataclass
class _State:
    """What the events up to one of them add up to."""

    status: TicketStatus = TicketStatus.OPEN
    clocks: tuple[Clock, ...] = ()
    terms: Terms | None = None
    close_at: datetime | None = None
    close_warned_at: datetime | None = None


def rebuilt(rows: Iterable[Row], calendars: WorkingTimes, close: AutoCloseTimes) -> Mapping[str, Any]:
    """Return the columns that the events of a ticket lead to, from the rows of EVENTS."""
    state = _State()
    for row in rows:
        members: dict[str, Any] = json.loads(row.data) | json.loads(row.internal or "{}")
        _advance(state, EventType(row.type), members, row.created_at, calendars)
    times = [clock.next_at for clock in state.clocks]
    if state.close_at is not None:
        times.append(state.close_at if state.close_warned_at is not None else state.close_at - close.notice)
    return {
        **columns_of(state.clocks, state.terms),
        "auto_close_at": state.close_at,
        "close_warned_at": state.close_warned_at,
        "timer_at": min((at for at in times if at is not None), default=None),
    }


def _advance(
    state: _State, event_type: EventType, members: Mapping[str, Any], at: datetime, calendars: WorkingTimes
) -> None:
    if TERMS_FACT in members:
        state.terms = terms_of_json(members[TERMS_FACT]["to"])
        state.clocks = assign(state.clocks, state.terms, state.status, at, calendars)
    if "status" in members:
        target = TicketStatus(members["status"]["to"])
        state.clocks = move(state.clocks, state.terms, state.status, target, at, calendars)
        state.status = target
        state.close_at = state.close_warned_at = None
    if event_type is EventType.SLA_WARNED:
        state.clocks = warn(state.clocks, ClockKind(members[CLOCK_FACT]["kind"]), at)
    if event_type is EventType.SLA_BREACHED:
        state.clocks = breach(state.clocks, ClockKind(members[CLOCK_FACT]["kind"]), at)
    if CLOSE_FACT in members:
        planned = members[CLOSE_FACT]["to"]
        state.close_at = None if planned is None else datetime.fromisoformat(planned)
        state.close_warned_at = None
    if event_type is EventType.CLOSE_WARNED:
        state.close_warned_at = at
