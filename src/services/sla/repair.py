"""Finds tickets whose clocks and timers differ from what their events lead to, and corrects them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, Integer, bindparam, select

from db.postgres.database import Database
from db.postgres.statements import Statement, constant
from models import Audience, EventType, Role, TicketStatus
from services.access.principal import Principal
from services.automation.due import REPAIRED, SLA
from services.automation.settings import AutomationDefinitions
from services.sla.rebuild import EVENTS, rebuilt
from services.tickets.changes import TicketChanges
from services.tickets.edited_ticket import AUTOMATIC, EditedTicket
from services.tickets.statements import tickets

BATCH: Final = 200

_REPAIR: Final = Principal(SLA, Role.ADMIN, name="Service levels")
_OPEN: Final = [constant(status) for status in TicketStatus if status is not TicketStatus.CLOSED]
_NEXT: Final = Statement(
    select(tickets.c.id, tickets.c.version, *(tickets.c[name] for name in sorted(AUTOMATIC)))
    .where(tickets.c.id > bindparam("after", type_=BigInteger), tickets.c.status.in_(_OPEN))
    .order_by(tickets.c.id)
    .limit(bindparam("limit", type_=Integer))
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A ticket, and the names of its columns that differ."""

    ticket_id: int
    columns: Sequence[str]


class ClockRepair:
    """Compares and corrects. Every method raises DatabaseUnavailable."""

    def __init__(self, database: Database, changes: TicketChanges, definitions: AutomationDefinitions) -> None:
        self._database = database
        self._changes = changes
        self._definitions = definitions

    async def differences(self) -> AsyncIterator[Difference]:
        """Yield the tickets that are not closed and differ, in the order of their ids."""
        after = 0
        while True:
            async with self._database.reading() as connection:
                rows = await connection.rows(_NEXT, after=after, limit=BATCH)
            for row in rows:
                expected = await self._rebuilt(row.id, row.version)
                columns = (
                    [] if expected is None else [name for name in sorted(AUTOMATIC) if row[name] != expected[name]]
                )
                if columns:
                    yield Difference(row.id, columns)
            if len(rows) < BATCH:
                return
            after = rows[-1].id

    async def correct(self, ticket_id: int) -> bool:
        """Set the clocks and timers of a ticket to what its events lead to, and return whether that changed it.

        A ticket that changes meanwhile is left as it is. Also raises what `TicketChanges.change` raises.
        """
        async with self._database.reading() as connection:
            events = await connection.rows(EVENTS, ticket_id=ticket_id)
        settings = await self._definitions.current()
        columns = rebuilt(events, settings.calendars, settings.close)

        def put(ticket: EditedTicket) -> None:
            if ticket.version == len(events) and not ticket.was_closed:
                ticket.put(columns)
                if ticket.is_changed:
                    ticket.add_fact(EventType.CHANGED, REPAIRED, sorted(ticket.changed_fields), Audience.INTERNAL)

        return (await self._changes.change(ticket_id, _REPAIR, put)).is_changed

    async def _rebuilt(self, ticket_id: int, version: int) -> Mapping[str, Any] | None:
        """Return the columns that the events lead to; None if the ticket changed meanwhile."""
        async with self._database.reading() as connection:
            events = await connection.rows(EVENTS, ticket_id=ticket_id)
        if len(events) != version:
            return None
        settings = await self._definitions.current()
        return rebuilt(events, settings.calendars, settings.close)
