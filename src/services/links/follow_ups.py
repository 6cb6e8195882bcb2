"""Follow-ups: new tickets that continue closed ones, which are never opened again."""

from collections.abc import Sequence, Set
from functools import partial
from typing import Final

from core.ticket_errors import TicketNotClosed
from db.postgres.database import Database
from models import Scope, TicketStatus
from schemas.tickets import TicketCreate
from services.access.email_addresses import ensure_may_write_as
from services.access.principal import Principal
from services.directory.assignees import Working
from services.idempotency import IdempotentRequest, Replayed, RetryKey
from services.tickets.change_purpose import ChangePurpose
from services.tickets.changes import TicketChanges
from services.tickets.edited_ticket import EditedTicket
from services.tickets.locked_tickets import expected_versions
from services.tickets.new_ticket import NewTicket
from services.tickets.shown_ticket import shown_ticket
from services.tickets.working_fields import WorkingFields
from services.write_result import WriteResult

_CONTINUED: Final = ("subject", "text", "email", "priority")


class FollowUps:
    """Opens follow-ups. Every method raises what `TicketChanges.changing` raises, and Forbidden."""

    def __init__(self, database: Database, changes: TicketChanges, working_fields: WorkingFields) -> None:
        self._database = database
        self._changes = changes
        self._working_fields = working_fields

    async def open(
        self,
        ticket_id: int,
        new: TicketCreate,
        principal: Principal,
        *,
        expected: Set[int] | None = None,
        key: RetryKey | None = None,
    ) -> tuple[WriteResult, bool]:
        """Create a ticket that follows a closed one; return it, and whether an earlier request had created it.

        Raises TicketNotClosed, InvalidFields, FieldsRequired, ExternalIdTaken, RequestInProgress,
        IdempotencyKeyReused.
        """
        principal.require(Scope.WRITE)
        await ensure_may_write_as(self._database, principal, new.email)
        visible = (await self._working_fields.definitions.current()).visible_keys
        shown = partial(opened, principal=principal, visible=visible)
        request = IdempotentRequest.under(key, principal.id, f"follow-up {ticket_id}", new, shown)
        versions, purpose = expected_versions(ticket_id, expected), ChangePurpose.LINK
        try:
            async with self._changes.replayed_if_refused(request):
                checked = await self._working_fields.new(new, principal, follow_up_of=ticket_id)
            async with self._changes.changing(
                [ticket_id], principal, versions, purpose=purpose, request=request
            ) as tickets:
                (ticket,) = tickets
                if ticket.status is not TicketStatus.CLOSED:
                    raise TicketNotClosed(ticket_id)
                ticket.open_follow_up(checked)
        except Replayed as earlier:
            await self._changes.acknowledge(ticket_id)
            return earlier.result, True
        return shown(tickets), False


def continuing(ticket: EditedTicket, working: Working, visible: Set[str]) -> NewTicket:
    """Return a follow-up with the values of the ticket, but for its status, its external id and its discussion.

    `working` has its assignee and its group, `visible` the keys of the custom fields that requesters see.
    """
    values = {name: ticket[name] for name in _CONTINUED}
    values |= {"assignee_id": working.assignee_id, "group_id": working.group_id}
    sent = TicketCreate.model_construct(**values, tags=tuple(ticket["tags"]))
    return NewTicket(sent, ticket.custom, visible, follow_up_of=ticket.id, participants=ticket["participants"])


def opened(tickets: Sequence[EditedTicket], *, principal: Principal, visible: Set[str]) -> WriteResult:
    """Return the ticket that the change of the first ticket with a follow-up opened."""
    row = next(ticket.opened for ticket in tickets if ticket.opened is not None)
    return shown_ticket(row, principal, visible)
