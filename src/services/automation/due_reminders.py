"""Reminds of tickets: finds the reminders that are due by an index, and appends an event to each of their tickets.

Any number of processes may do so at once. Whether a reminder is due is decided again on its row, by the clock of the
database, in the transaction that appends the event. So each reminder has one event, or none if it was replaced or
deleted first, however processes end.
"""

import asyncio
import logging
import random
from typing import Final

from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, bindparam, func, null, select, update

from core import metrics
from core.errors import ServiceError, Unavailable
from db.postgres.database import Database
from db.postgres.statements import Statement, given
from models import Audience, EventType, Reminder, Role, table_of
from services.access.principal import Principal
from services.tickets.change_purpose import ChangePurpose
from services.tickets.changes import TicketChanges

POLL_EVERY_S: Final = 0.5
RETRY_EVERY_S: Final = 1
BATCH: Final = 100
# A ticket with a reminder that fails is left alone for this time, so that it delays no others.
LEFT_ALONE_S: Final = 60

REMINDERS: Final = Principal("system:reminders", Role.ADMIN, name="Reminders")
FACT: Final = "reminder"

_log = logging.getLogger(__name__)

_reminders: Final = table_of(Reminder)
_CLOCK: Final = func.service_clock(type_=DateTime(timezone=True))
# A subquery: an index cannot be searched for a value that might change from row to row.
_NOW: Final = select(_CLOCK).scalar_subquery()
_IS_NEW: Final = _reminders.c.reminded_at.is_(None)
DUE: Final = Statement(
    select(_reminders.c.ticket_id, _reminders.c.principal_id)
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


class DueReminders:
    """Reminds one after the other, so that requests keep their share of the database."""

    def __init__(self, database: Database, changes: TicketChanges) -> None:
        self._database = database
        self._changes = changes
        # By ticket: when its reminders may be tried again, in seconds of the event loop's clock.
        self._failed: dict[int, float] = {}

    async def run(self) -> None:
        """Remind until cancelled."""
        while True:
            try:
                found = await self.remind()
            except Unavailable as error:
                _log.warning("cannot remind; retrying in %d s: %s", RETRY_EVERY_S, error)
                await asyncio.sleep(RETRY_EVERY_S)
                continue
            if found < BATCH:
                await asyncio.sleep(POLL_EVERY_S)

    async def remind(self) -> int:
        """Remind of a batch of what is due, and return how much was found. Raises DatabaseUnavailable."""
        now = asyncio.get_running_loop().time()
        self._failed = {ticket_id: until for ticket_id, until in self._failed.items() if until > now}
        async with self._database.working_singly() as connection:
            rows = await connection.rows(DUE, failed=list(self._failed), limit=BATCH)
        # Each process begins elsewhere: two that change one ticket would only wait for each other.
        for row in random.sample(rows, len(rows)):
            await self._try(row.ticket_id, row.principal_id)
        return len(rows)

    async def _try(self, ticket_id: int, principal_id: str) -> None:
        try:
            await self._append_event(ticket_id, principal_id)
        except Unavailable:  # of the database, or of this ticket, which somebody else keeps locked
            self._leave_alone(ticket_id)
            raise
        except ServiceError as error:
            _log.warning("cannot remind of ticket %d: %s", ticket_id, type(error).__name__)
            self._leave_alone(ticket_id)
        except Exception:  # noqa: BLE001 - the others go on
            _log.exception("cannot remind of ticket %d", ticket_id)
            self._leave_alone(ticket_id)

    async def _append_event(self, ticket_id: int, principal_id: str) -> None:
        """Append the event of a reminder to its ticket, unless the reminder is no longer due."""
        async with self._changes.changing([ticket_id], REMINDERS, purpose=ChangePurpose.REMIND) as tickets:
            (ticket,) = tickets
            taken = await tickets.connection.one_or_none(_TAKE, ticket_id=ticket_id, principal_id=principal_id)
            if taken is not None:
                fact = {"principal_id": taken.principal_id, "note": taken.note}
                ticket.add_fact(EventType.REMINDED, FACT, fact, Audience.INTERNAL)
        if taken is not None:
            metrics.timers_fired.labels(EventType.REMINDED).inc()

    def _leave_alone(self, ticket_id: int) -> None:
        self._failed[ticket_id] = asyncio.get_running_loop().time() + LEFT_ALONE_S
