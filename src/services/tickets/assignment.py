"""Assigns and releases tickets."""

from collections.abc import Set

from core.ticket_errors import AlreadyAssigned
from services.access.principal import Principal
from services.tickets import permissions
from services.tickets.changes import Decide, TicketChanges
from services.tickets.edited_ticket import EditedTicket
from services.tickets.locked_tickets import expected_versions
from services.tickets.shown_ticket import shown_ticket
from services.write_result import WriteResult


class Assignment:
    """Takes and releases tickets. Every method raises what `TicketChanges.change` raises, and Forbidden."""

    def __init__(self, changes: TicketChanges) -> None:
        self._changes = changes

    async def take(
        self, ticket_id: int, principal: Principal, *, steal: bool = False, expected: Set[int] | None = None
    ) -> WriteResult:
        """Assign a ticket to the principal, with `steal` also if another one has it; return it as a Ticket.

        Raises AlreadyAssigned, TicketClosed. Of several principals that take a ticket at once, one succeeds.
        """
        permissions.ensure_may_work(principal)

        def assign(ticket: EditedTicket) -> None:
            assignee = ticket["assignee_id"]
            if assignee not in {None, principal.id} and not steal:
                raise AlreadyAssigned(assignee)
            ticket.edit("assignee_id", principal.id)

        return await self._changed(ticket_id, principal, assign, expected)

    async def release(self, ticket_id: int, principal: Principal, *, expected: Set[int] | None = None) -> WriteResult:
        """Leave a ticket without an assignee, unless another principal has it; return it as a Ticket.

        Raises AlreadyAssigned, TicketClosed.
        """
        permissions.ensure_may_work(principal)

        def unassign(ticket: EditedTicket) -> None:
            assignee = ticket["assignee_id"]
            if assignee not in {None, principal.id}:
                raise AlreadyAssigned(assignee)
            ticket.edit("assignee_id", None)

        return await self._changed(ticket_id, principal, unassign, expected)

    async def _changed(
        self, ticket_id: int, principal: Principal, decide: Decide, expected: Set[int] | None
    ) -> WriteResult:
        ticket = await self._changes.change(ticket_id, principal, decide, expected_versions(ticket_id, expected))
        return shown_ticket(ticket.saved, principal, frozenset())
