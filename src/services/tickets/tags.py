"""Single tags of a ticket: added and removed without a loss when several clients do so at once."""

from collections.abc import Callable, Set

from core.ticket_errors import TooManyTags
from models.ticket import MAX_TAGS
from services.access.principal import Principal
from services.tickets import permissions
from services.tickets.changes import TicketChanges
from services.tickets.edited_ticket import EditedTicket
from services.tickets.locked_tickets import expected_versions
from services.tickets.shown_ticket import shown_ticket
from services.write_result import WriteResult


class TicketTags:
    """Adds and removes tags. Every method raises what `TicketChanges.change` raises, and Forbidden."""

    def __init__(self, changes: TicketChanges) -> None:
        self._changes = changes

    async def add(
        self, ticket_id: int, tag: str, principal: Principal, *, expected: Set[int] | None = None
    ) -> WriteResult:
        """Add a tag, unless the ticket has it; return it as a Ticket. Raises TicketClosed, TooManyTags."""
        return await self._change(ticket_id, principal, lambda tags: tags | {tag}, expected)

    async def remove(
        self, ticket_id: int, tag: str, principal: Principal, *, expected: Set[int] | None = None
    ) -> WriteResult:
        """Remove a tag, if the ticket has it; return it as a Ticket. Raises TicketClosed."""
        return await self._change(ticket_id, principal, lambda tags: tags - {tag}, expected)

    async def _change(
        self,
        ticket_id: int,
        principal: Principal,
        change: Callable[[frozenset[str]], frozenset[str]],
        expected: Set[int] | None,
    ) -> WriteResult:
        permissions.ensure_may_work(principal)

        def decide(ticket: EditedTicket) -> None:
            tags = sorted(change(frozenset(ticket["tags"])))
            if len(tags) > MAX_TAGS:
                raise TooManyTags
            ticket.edit("tags", tags)

        ticket = await self._changes.change(ticket_id, principal, decide, expected_versions(ticket_id, expected))
        return shown_ticket(ticket.saved, principal, frozenset())
