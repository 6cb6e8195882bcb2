"""Fires the timers of tickets that are due, each by the one write path.

What is due is decided again on the row that the change is based on. So each timer fires once, or is cleared by the
change that came first.
"""

import logging
from typing import Final

from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, bindparam, func, select

from core import metrics
from db.postgres.database import Database
from db.postgres.statements import Row, Statement, constant
from models import EventType, TicketStatus
from services.automation import due
from services.automation.settings import AutomationDefinitions, AutomationSettings
from services.due_loop import DueLoop
from services.tickets.changes import TicketChanges
from services.tickets.edited_ticket import EditedTicket
from services.tickets.statements import tickets

_TYPES: Final = (EventType.SLA_WARNED, EventType.SLA_BREACHED, EventType.CLOSE_WARNED, EventType.CHANGED)

_log = logging.getLogger(__name__)

# A subquery: an index cannot be searched for a value that might change from row to row.
_NOW: Final = select(func.service_clock(type_=DateTime(timezone=True))).scalar_subquery()
_IS_OPEN: Final = tickets.c.status != constant(TicketStatus.CLOSED)
DUE: Final = Statement(
    select(tickets.c.id.label("key"), tickets.c.timer_at)
    .where(tickets.c.timer_at <= _NOW, _IS_OPEN, tickets.c.id != func.all(bindparam("failed", type_=ARRAY(BigInteger))))
    .order_by(tickets.c.timer_at)
    .limit(bindparam("limit", type_=Integer))
)


class TicketTimers(DueLoop):
    """Fires the timers of tickets."""

    due = DUE
    item = "timer of the ticket"

    def __init__(self, database: Database, changes: TicketChanges, definitions: AutomationDefinitions) -> None:
        super().__init__(database)
        self._changes = changes
        self._definitions = definitions
        self._settings: AutomationSettings | None = None
        for event_type in _TYPES:
            metrics.timers_fired.labels(event_type)  # exported from the start, as 0

    async def _prepare(self) -> None:
        self._settings = await self._definitions.current()

    async def _do(self, row: Row) -> None:
        """Change the ticket as the first of its timers requires; further ones are found again."""
        settings = self._settings
        assert settings is not None  # noqa: S101 - of this batch

        def fire(ticket: EditedTicket) -> None:
            due.fire(ticket, settings)

        changed = await self._changes.change(row.key, due.TIMERS, fire)
        if changed.is_changed:
            metrics.timers_fired.labels(changed.event_type).inc()
        elif changed["timer_at"] is not None and changed["timer_at"] <= changed.at:
            _log.warning("the timer of ticket %d is due, but has nothing to do", row.key)
            self._leave_alone(row.key)
