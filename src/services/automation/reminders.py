"""The reminders of agents and admins: each principal has at most one on a ticket, and sees no others.

A reminder is no change of the ticket until it is due: see `services.automation.due_reminders`.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    and_,
    bindparam,
    delete,
    func,
    null,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert

from core.errors import TicketNotFound
from core.ticket_errors import RemindAtRefused, ReminderNotFound
from db.postgres.database import Database
from db.postgres.statements import Row, Statement, given
from models import Reminder as StoredReminder
from models import Scope, table_of
from schemas.reminders import ListedReminder, Reminder, ReminderPage, ReminderPut, RemindersQuery, ReminderState
from services.access.principal import Principal
from services.cursors import StoredCursors
from services.tickets.statements import IS_VISIBLE, ticket_id, tickets

# Ten years.
MAX_AHEAD: Final = timedelta(days=3_653)

_reminders: Final = table_of(StoredReminder)
_SHOWN: Final = tuple(_reminders.c[name] for name in Reminder.model_fields)
_IS_OWN: Final = _reminders.c.principal_id == given(_reminders.c.principal_id)
_OF_TICKET: Final = and_(_IS_OWN, _reminders.c.ticket_id == given(_reminders.c.ticket_id))
_TIME: Final = DateTime(timezone=True)
# A subquery: an index cannot be searched for a value that might change from row to row.
_NOW: Final = select(func.service_clock(type_=_TIME)).scalar_subquery()

_CLOCK: Final = Statement(select(func.service_clock(type_=_TIME).label("now")).where(tickets.c.id == ticket_id))
_FIND: Final = Statement(select(*_SHOWN).where(_OF_TICKET))
_DELETE: Final = Statement(delete(_reminders).where(_OF_TICKET).returning(*_SHOWN))


def _put() -> Statement:
    """Return the statement that inserts a reminder, or replaces the one of the same ticket and principal."""
    key = ("ticket_id", "principal_id")
    set_ = ("remind_at", "note", "snoozed_until")
    new = insert(_reminders).values({name: given(_reminders.c[name]) for name in (*key, *set_)})
    replaced = {name: new.excluded[name] for name in set_} | {"reminded_at": null(), "created_at": func.now()}
    return Statement(new.on_conflict_do_update(index_elements=key, set_=replaced).returning(*_SHOWN))


def _page(in_state: ColumnElement[bool]) -> Statement:
    """Return the statement of a page of the reminders of a principal."""
    after_at, after_id = bindparam("after_at", type_=_TIME), bindparam("after_id", type_=BigInteger)
    position = tuple_(_reminders.c.remind_at, _reminders.c.ticket_id)
    return Statement(
        select(*_SHOWN, tickets.c.subject, tickets.c.status)
        .join_from(_reminders, tickets, tickets.c.id == _reminders.c.ticket_id)
        .where(_IS_OWN, in_state, or_(after_id.is_(None), position > tuple_(after_at, after_id)))
        .order_by(_reminders.c.remind_at, _reminders.c.ticket_id)
        .limit(bindparam("limit", type_=Integer))
    )


_PUT: Final = _put()
_PAGES: Final[dict[ReminderState | None, Statement]] = {
    None: _page(true()),
    "pending": _page(_reminders.c.remind_at > _NOW),
    "due": _page(_reminders.c.remind_at <= _NOW),
}


class Reminders:
    """Reads and writes the reminders of the caller, an agent or admin.

    Every method raises Forbidden, InsufficientScope, DatabaseUnavailable and DeadlineExceeded; those that write also
    raise OutcomeUnknown.
    """

    def __init__(self, database: Database, cursors: StoredCursors) -> None:
        self._database = database
        self._cursors = cursors

    async def put(self, ticket_id: int, reminder: ReminderPut, principal: Principal) -> Reminder:
        """Set the reminder of the caller on a ticket. Raises TicketNotFound, RemindAtRefused."""
        principal.require_staff()
        principal.require(Scope.WRITE)
        async with self._database.deciding() as decision:
            clock = await decision.read(_CLOCK, ticket_id=ticket_id)
            if clock is None:
                raise TicketNotFound(ticket_id)
            if not clock.now < reminder.remind_at <= clock.now + MAX_AHEAD:
                raise RemindAtRefused
            row = await decision.create(
                _PUT,
                ticket_id=ticket_id,
                principal_id=principal.id,
                remind_at=reminder.remind_at,
                note=reminder.note,
                snoozed_until=reminder.remind_at if reminder.snooze else None,
            )
        return _reminder_of(row)

    async def find(self, ticket_id: int, principal: Principal) -> Reminder:
        """Return the reminder of the caller on a ticket. Raises TicketNotFound, ReminderNotFound."""
        principal.require_staff()
        principal.require(Scope.READ)
        async with self._database.reading() as connection:
            row = await connection.one_or_none(_FIND, ticket_id=ticket_id, principal_id=principal.id)
        return await self._found(row, ticket_id)

    async def delete(self, ticket_id: int, principal: Principal) -> Reminder:
        """Delete the reminder of the caller on a ticket, and return it. Raises TicketNotFound, ReminderNotFound."""
        principal.require_staff()
        principal.require(Scope.WRITE)
        async with self._database.deciding() as decision:
            row = await decision.commit(_DELETE, ticket_id=ticket_id, principal_id=principal.id)
        return await self._found(row, ticket_id)

    async def page(self, query: RemindersQuery, principal: Principal) -> ReminderPage:
        """Return reminders of the caller in the order of their times. Raises InvalidCursor."""
        principal.require_staff()
        principal.require(Scope.READ)
        cursors = await self._cursors.get()
        list_key = f"reminders {principal.id} {query.state}"
        after_id, after_at = (None, None) if query.cursor is None else cursors.decode(list_key, query.cursor)
        parameters = {"after_id": after_id, "after_at": after_at, "principal_id": principal.id}
        async with self._database.reading() as connection:
            rows = await connection.rows(_PAGES[query.state], limit=query.limit + 1, **parameters)
        items = [ListedReminder.model_validate(dict(row)) for row in rows[: query.limit]]
        next_cursor = None
        if len(rows) > query.limit:
            next_cursor = cursors.encode(list_key, (items[-1].ticket_id, items[-1].remind_at))
        return ReminderPage(items=items, next_cursor=next_cursor)

    async def _found(self, row: Row | None, ticket_id: int) -> Reminder:
        """Return the reminder of a row. Raises TicketNotFound, ReminderNotFound."""
        if row is not None:
            return _reminder_of(row)
        async with self._database.reading() as connection:
            if await connection.one_or_none(IS_VISIBLE, ticket_id=ticket_id, requester=None) is None:
                raise TicketNotFound(ticket_id)
        raise ReminderNotFound(ticket_id)


def _reminder_of(row: Row) -> Reminder:
    return Reminder.model_validate(dict(row))
