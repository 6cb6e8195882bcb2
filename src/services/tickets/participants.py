"""Participants: email addresses that see a ticket and comment on it, as its requester does."""

from collections.abc import Set
from typing import Final

from sqlalchemy import Text, bindparam, select

from core.ticket_errors import TooManyParticipants
from db.postgres.database import Database
from db.postgres.statements import Statement
from models import Scope
from models.ticket import MAX_PARTICIPANTS
from services.access.email_addresses import email_key
from services.access.principal import Principal
from services.fields.definitions import FieldDefinitions
from services.tickets import permissions
from services.tickets.changes import Decide, TicketChanges, expected_versions
from services.tickets.edited_ticket import EditedTicket
from services.tickets.shown_ticket import shown_ticket
from services.write_result import WriteResult

_KEY_OF: Final = Statement(select(email_key(bindparam("address", type_=Text))))


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
        key = await self._key_of(address)

        def decide(ticket: EditedTicket) -> None:
            permissions.ensure_may_edit(ticket, principal)
            if key in ticket["participant_keys"] or key == ticket["requester_key"]:
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
        key = await self._key_of(address)

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

    async def _key_of(self, address: str) -> str:
        async with self._database.reading() as connection:
            key: str = await connection.value(_KEY_OF, address=address)
        return key
