"""Participants: email addresses that see a ticket and comment on it, as its requester does."""

from collections.abc import Set
from typing import Final

from sqlalchemy import Text, bindparam, select

from core.ticket_errors import TooManyParticipants
from db.postgres.database import Database
from db.postgres.statements import Row, Statement
from models import Scope
from models.ticket import MAX_PARTICIPANTS
from services.access.email_addresses import email_key
from services.access.principal import Principal
from services.fields.definitions import FieldDefinitions
from services.tickets import permissions
from services.tickets import statements as sql
from services.tickets.changes import Decide, TicketChanges
from services.tickets.edited_ticket import EditedTicket
from services.tickets.locked_tickets import expected_versions
from services.tickets.shown_ticket import shown_ticket
from services.write_result import WriteResult

_KEY: Final = email_key(bindparam("address", type_=Text))
_requester: Final = select(email_key(sql.tickets.c.email)).where(sql.tickets.c.id == sql.ticket_id)
_is_requester: Final = _requester.scalar_subquery() == _KEY
_KEY_OF: Final = Statement(select(_KEY.label("key"), _is_requester.label("is_requester")))


class TicketParticipants:
    """Adds and removes participants. Every method raises what `TicketChanges.change` raises, and Forbidden."""

    def __init__(self, database: Database, changes: TicketChanges, definitions: FieldDefinitions) -> None:
        self._database = database
        self._changes = changes
        self._definitions = definitions

    async def add(
        self, ticket_id: int, address: str, principal: Principal, *, expected: Set[int] | None = None
    ) -> WriteResult:
        """Add an address, unless it participates or is the requester's; return the ticket.

        Raises TicketClosed, TooManyParticipants.
        """
        principal.require(Scope.WRITE)
        found = await self._key_of(address, ticket_id)

        def decide(ticket: EditedTicket) -> None:
            permissions.ensure_may_edit(ticket, principal)
            if found.is_requester or found.key in ticket["participant_keys"]:
                return
            if len(ticket["participants"]) >= MAX_PARTICIPANTS:
                raise TooManyParticipants
            ticket.edit("participants", [*ticket["participants"], address])

        return await self._change(ticket_id, principal, decide, expected)

    async def remove(
        self, ticket_id: int, address: str, principal: Principal, *, expected: Set[int] | None = None
    ) -> WriteResult:
        """Remove an address, if it participates; return the ticket. Raises TicketClosed."""
        principal.require(Scope.WRITE)
        key = (await self._key_of(address, ticket_id)).key

        def decide(ticket: EditedTicket) -> None:
            permissions.ensure_may_edit(ticket, principal)
            participants = zip(ticket["participants"], ticket["participant_keys"], strict=True)
            ticket.edit("participants", [each for each, key_of_each in participants if key_of_each != key])

        return await self._change(ticket_id, principal, decide, expected)

    async def _change(
        self, ticket_id: int, principal: Principal, decide: Decide, expected: Set[int] | None
    ) -> WriteResult:
        ticket = await self._changes.change(ticket_id, principal, decide, expected_versions(ticket_id, expected))
        return shown_ticket(ticket.saved, principal, (await self._definitions.current()).visible_keys)

    async def _key_of(self, address: str, of_ticket: int) -> Row:
        """Return the key of an address, and whether it is that of the ticket's requester, which never changes."""
        async with self._database.reading() as connection:
            return await connection.one(_KEY_OF, address=address, ticket_id=of_ticket)
