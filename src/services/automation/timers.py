"""Fires the timers of tickets that are due: finds them by an index, and changes each ticket by the one write path.

Any number of processes may do so at once. What is due is decided again on the row that the change is based on, by the
clock of the database. So each timer fires once, or is cleared by the change that came first.
"""

import asyncio
import logging
import random
from typing import Final

from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, bindparam, func, select

from core import metrics
from core.errors import ServiceError, Unavailable
from db.postgres.database import Database
from db.postgres.statements import Statement, constant
from models import EventType, TicketStatus
from services.automation import due
from services.automation.settings import AutomationDefinitions, AutomationSettings
from services.tickets.changes import TicketChanges
from services.tickets.edited_ticket import EditedTicket
from services.tickets.statements import tickets

POLL_EVERY_S: Final = 0.5
RETRY_EVERY_S: Final = 1
BATCH: Final = 100
# A ticket whose timer cannot be fired is left alone for this time, so that it delays no others.
LEFT_ALONE_S: Final = 60

_TYPES: Final = (EventType.SLA_WARNED, EventType.SLA_BREACHED, EventType.CLOSE_WARNED, EventType.CHANGED)

_log = logging.getLogger(__name__)

# A subquery: an index cannot be searched for a value that might change from row to row.
_NOW: Final = select(func.service_clock(type_=DateTime(timezone=True))).scalar_subquery()
_IS_OPEN: Final = tickets.c.status != constant(TicketStatus.CLOSED)
DUE: Final = Statement(
    select(tickets.c.id, tickets.c.timer_at)
    .where(tickets.c.timer_at <= _NOW, _IS_OPEN, tickets.c.id != func.all(bindparam("failed", type_=ARRAY(BigInteger))))
    .order_by(tickets.c.timer_at)
    .limit(bindparam("limit", type_=Integer))
)


class TicketTimers:
    """Fires the timers of tickets, one after the other, so that requests keep their share of the database."""

    def __init__(self, database: Database, changes: TicketChanges, definitions: AutomationDefinitions) -> None:
        self._database = database
        self._changes = changes
        self._definitions = definitions
        # By ticket: when its timer may be tried again, in seconds of the event loop's clock.
        self._failed: dict[int, float] = {}
        for event_type in _TYPES:
            metrics.timers_fired.labels(event_type)  # exported from the start, as 0

    async def run(self) -> None:
        """Fire until cancelled."""
        while True:
            try:
                found = await self.fire_due()
            except Unavailable as error:
                _log.warning("cannot fire timers; retrying in %d s: %s", RETRY_EVERY_S, error)
                await asyncio.sleep(RETRY_EVERY_S)
                continue
            if found < BATCH:
                await asyncio.sleep(POLL_EVERY_S)

    async def fire_due(self) -> int:
        """Fire a batch of the timers that are due, and return how many were found. Raises DatabaseUnavailable."""
        now = asyncio.get_running_loop().time()
        self._failed = {ticket_id: until for ticket_id, until in self._failed.items() if until > now}
        async with self._database.working_singly() as connection:
            rows = await connection.rows(DUE, failed=list(self._failed), limit=BATCH)
        settings = await self._definitions.current() if rows else None
        # Each process begins elsewhere: two that change one ticket would only wait for each other.
        for row in random.sample(rows, len(rows)):
            assert settings is not None  # noqa: S101 - there are rows
            await self._fire(row.id, settings)
        return len(rows)

    async def _fire(self, ticket_id: int, settings: AutomationSettings) -> None:
        try:
            await self._change(ticket_id, settings)
        except Unavailable:  # of the database, or of this ticket, which somebody else keeps locked
            self._leave_alone(ticket_id)
            raise
        except ServiceError as error:
            _log.warning("cannot fire the timer of ticket %d: %s", ticket_id, type(error).__name__)
            self._leave_alone(ticket_id)
        except Exception:  # noqa: BLE001 - the others go on
            _log.exception("cannot fire the timer of ticket %d", ticket_id)
            self._leave_alone(ticket_id)

    async def _change(self, ticket_id: int, settings: AutomationSettings) -> None:
        """Change the ticket as the first of its timers requires; further ones are found again."""

        def fire(ticket: EditedTicket) -> None:
            due.fire(ticket, settings)

        changed = await self._changes.change(ticket_id, due.TIMERS, fire)
        if changed.is_changed:
            metrics.timers_fired.labels(changed.event_type).inc()
        elif changed["timer_at"] is not None and changed["timer_at"] <= changed.at:
            _log.warning("the timer of ticket %d is due, but has nothing to do", ticket_id)
            self._leave_alone(ticket_id)

    def _leave_alone(self, ticket_id: int) -> None:
        self._failed[ticket_id] = asyncio.get_running_loop().time() + LEFT_ALONE_S
