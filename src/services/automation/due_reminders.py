"""Reminds of tickets: appends an event to the ticket of each reminder that is due.

Whether a reminder is due is decided again on its row, in the transaction that appends the event. So each reminder has
one event, or none if it was replaced or deleted first, however processes end.
"""

from typing import Final

from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, bindparam, func, null, select, update

from core import metrics
from db.postgres.database import Database
from db.postgres.statements import Row, Statement, given
from models import Audience, EventType, Reminder, Role, table_of
from services.access.principal import Principal
from services.due_loop import DueLoop
from services.tickets.change_purpose import ChangePurpose
from services.tickets.changes import TicketChanges

REMINDERS: Final = Principal("system:reminders", Role.ADMIN, name="Reminders")
FACT: Final = "reminder"

_reminders: Final = table_of(Reminder)
_CLOCK: Final = func.service_clock(type_=DateTime(timezone=True))
# A subquery: an index cannot be searched for a value that might change from row to row.
_NOW: Final = select(_CLOCK).scalar_subquery()
_IS_NEW: Final = _reminders.c.reminded_at.is_(None)
DUE: Final = Statement(
    select(_reminders.c.ticket_id.label("key"), _reminders.c.principal_id)
    .where(
        _IS_NEW,
        _reminders.c.remind_at <= _NOW,
        _reminders.c.ticket_id != func.all(bindparam("failed", type_=ARRAY(BigInteger))),
    )
    .order_by(_reminders.c.remind_at)
    .limit(bindparam("limit", type_=Integer))
)
_TAKE: Final = Statement(
    update(_reminders)
    .values(reminded_at=_CLOCK, snoozed_until=null())
    .where(
        _reminders.c.ticket_id == given(_reminders.c.ticket_id),
        _reminders.c.principal_id == given(_reminders.c.principal_id),
        _IS_NEW,
        _reminders.c.remind_at <= _CLOCK,
    )
    .returning(_reminders.c.principal_id, _reminders.c.note)
)


class DueReminders(DueLoop):
    """Reminds of tickets."""

    due = DUE
    item = "reminder of the ticket"

    def __init__(self, database: Database, changes: TicketChanges) -> None:
        super().__init__(database)
        self._changes = changes

    async def _do(self, row: Row) -> None:
        """Append the event of a reminder to its ticket, unless the reminder is no longer due."""
        async with self._changes.changing([row.key], REMINDERS, purpose=ChangePurpose.REMIND) as tickets:
            (ticket,) = tickets
            taken = await tickets.connection.one_or_none(_TAKE, ticket_id=row.key, principal_id=row.principal_id)
            if taken is not None:
                fact = {"principal_id": taken.principal_id, "note": taken.note}
                ticket.add_fact(EventType.REMINDED, FACT, fact, Audience.INTERNAL)
        if taken is not None:
            metrics.timers_fired.labels(EventType.REMINDED).inc()
