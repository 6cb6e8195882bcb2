"""Hands the open tickets of a principal over, for a person who leaves."""

from typing import Final

from sqlalchemy import BigInteger, Text, bindparam, literal_column, select

from core.errors import Fault, InvalidReference
from db.postgres.database import Database
from db.postgres.statements import Statement, constant
from models import TicketFacet, TicketStatus, table_of
from schemas.hand_over import HandedOver, HandOver
from services.access.principal import Principal
from services.directory.assignees import Assignees
from services.directory.people import People
from services.tickets.batches import has_little_time
from services.tickets.changes import TicketChanges
from services.tickets.ticket_status import is_final

BATCH: Final = 50

_facets: Final = table_of(TicketFacet)
_OPEN: Final = [status for status in TicketStatus if not is_final(status)]


def _next_tickets() -> Statement:
    of_assignee = _facets.c.facet == constant("assignee:").op("||")(bindparam("assignee_id", type_=Text))
    is_open = _facets.c.status.in_([constant(status) for status in _OPEN])
    after = _facets.c.ticket_id > bindparam("after", type_=BigInteger)
    ids = select(_facets.c.ticket_id).where(of_assignee, is_open, after).order_by(_facets.c.ticket_id)
    return Statement(ids.limit(literal_column(str(BATCH))))


_NEXT_TICKETS: Final = _next_tickets()


class HandOvers:
    """Hands tickets over. Its method raises what `TicketChanges.changing` raises, and Forbidden."""

    def __init__(self, database: Database, changes: TicketChanges, people: People, assignees: Assignees) -> None:
        self._database = database
        self._changes = changes
        self._people = people
        self._assignees = assignees

    async def hand_over(self, person_id: str, to: HandOver, principal: Principal) -> HandedOver:
        """Give the open tickets of a person a new assignee or group, each as one change.

        Raises PrincipalNotFound, InvalidReference.
        """
        principal.require_admin()
        await self._people.ensure_exists(person_id)
        await self._assignees.ensure_exist(to.assignee_id, to.group_id)
        if to.assignee_id == person_id:
            raise InvalidReference(Fault("must be another principal than the person", "body", "assignee_id"))
        count, last_id = 0, 0
        while ids := await self._next(person_id, last_id):
            count += await self._hand_over(ids, person_id, to, principal)
            last_id = ids[-1]
            if has_little_time():
                break
        # From the first ticket on: one may have been assigned in the meantime.
        return HandedOver(handed_over=count, is_complete=not await self._next(person_id, 0))

    async def _next(self, person_id: str, after: int) -> list[int]:
        async with self._database.reading() as connection:
            rows = await connection.rows(_NEXT_TICKETS, assignee_id=person_id, after=after)
        return [row.ticket_id for row in rows]

    async def _hand_over(self, ids: list[int], person_id: str, to: HandOver, principal: Principal) -> int:
        count = 0
        async with self._changes.changing(ids, principal) as tickets:
            for ticket in tickets:
                # Another request may have closed the ticket or assigned it in the meantime.
                if ticket["assignee_id"] == person_id and not is_final(ticket.status):
                    ticket.edit("assignee_id", to.assignee_id)
                    if to.group_id is not None:
                        ticket.edit("group_id", to.group_id)
                    count += ticket.is_changed
        return count
