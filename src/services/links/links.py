"""Links between tickets: one row and one event on each of the two, in one transaction."""

from collections.abc import Mapping, Set
from typing import Final

from sqlalchemy import BigInteger, bindparam, delete, literal_column, select
from sqlalchemy.dialects.postgresql import insert

from core.errors import Fault, InvalidReference, TicketNotFound
from core.ticket_errors import LinkToItself, TooManyLinks
from db.postgres.session import Session
from db.postgres.statements import Statement, given
from models import Audience, EventType, LinkType, TicketLink, table_of
from services.access.principal import Principal
from services.tickets import permissions
from services.tickets.change_purpose import ChangePurpose
from services.tickets.changes import TicketChanges
from services.tickets.edited_ticket import EditedTicket
from services.tickets.locked_tickets import expected_versions
from services.tickets.shown_ticket import shown_ticket
from services.write_result import WriteResult

MAX_LINKS: Final = 100

INVERSE: Final[Mapping[LinkType, LinkType]] = {
    LinkType.RELATES_TO: LinkType.RELATES_TO,
    LinkType.DUPLICATES: LinkType.DUPLICATED_BY,
    LinkType.DUPLICATED_BY: LinkType.DUPLICATES,
    LinkType.BLOCKS: LinkType.BLOCKED_BY,
    LinkType.BLOCKED_BY: LinkType.BLOCKS,
}
"""What the other ticket is to this one."""

_links: Final = table_of(TicketLink)
_KEY: Final = ("ticket_id", "type", "other_id")
_INSERT: Final = Statement(
    insert(_links).values({name: given(_links.c[name]) for name in _KEY}).on_conflict_do_nothing()
)
_DELETE: Final = Statement(delete(_links).where(*(_links.c[name] == given(_links.c[name]) for name in _KEY)))
_LINKS_OF: Final = Statement(
    select(_links.c.type, _links.c.other_id)
    .where(_links.c.ticket_id == bindparam("ticket_id", type_=BigInteger))
    .limit(literal_column(str(MAX_LINKS)))
)


class TicketLinks:
    """Links tickets, closed ones too. Every method raises what `TicketChanges.changing` raises, and Forbidden."""

    def __init__(self, changes: TicketChanges) -> None:
        self._changes = changes

    async def add(
        self, ticket_id: int, link: LinkType, other_id: int, principal: Principal, *, expected: Set[int] | None = None
    ) -> WriteResult:
        """Link two tickets, unless they are linked so; return the first one.

        Raises LinkToItself, TooManyLinks, and InvalidReference for the other ticket.
        """
        return await self._change(ticket_id, link, other_id, principal, expected, is_added=True)

    async def remove(
        self, ticket_id: int, link: LinkType, other_id: int, principal: Principal, *, expected: Set[int] | None = None
    ) -> WriteResult:
        """Remove a link, if there is one; return the first ticket. Raises LinkToItself, InvalidReference."""
        return await self._change(ticket_id, link, other_id, principal, expected, is_added=False)

    async def _change(
        self,
        ticket_id: int,
        link: LinkType,
        other_id: int,
        principal: Principal,
        expected: Set[int] | None,
        *,
        is_added: bool,
    ) -> WriteResult:
        permissions.ensure_may_work(principal)
        if ticket_id == other_id:
            raise LinkToItself
        ids, versions = [ticket_id, other_id], expected_versions(ticket_id, expected)
        try:
            async with self._changes.changing(ids, principal, versions, purpose=ChangePurpose.LINK) as tickets:
                by_id = {ticket.id: ticket for ticket in tickets}
                await _write(tickets.connection, by_id[ticket_id], link, other_id, is_added=is_added)
                await _write(tickets.connection, by_id[other_id], INVERSE[link], ticket_id, is_added=is_added)
        except TicketNotFound as error:
            if error.ticket_id == other_id:
                raise InvalidReference(Fault("no ticket has this id", "path", "other_id")) from error
            raise
        return shown_ticket(by_id[ticket_id].saved, principal, frozenset())


async def _write(connection: Session, ticket: EditedTicket, link: LinkType, other_id: int, *, is_added: bool) -> None:
    """Insert or delete one of the two rows of a link, with the event of its ticket, unless that is so already."""
    links = {(row.type, row.other_id) for row in await connection.rows(_LINKS_OF, ticket_id=ticket.id)}
    if ((link, other_id) in links) is is_added:
        return
    if is_added and len(links) >= MAX_LINKS:
        raise TooManyLinks
    await connection.run(_INSERT if is_added else _DELETE, ticket_id=ticket.id, type=link, other_id=other_id)
    fact = {"type": link, "ticket_id": other_id}
    ticket.add_fact(EventType.LINKED, "link_added" if is_added else "link_removed", fact, Audience.INTERNAL)
