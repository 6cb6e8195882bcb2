"""The assignee of a ticket: take and release."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.dependencies import Assignments, Caller, TicketId
from api.http.checked_route import CheckedRoute
from api.http.conditional import ExpectedVersions
from api.http.serialized import changed_response
from api.openapi import responses as docs
from api.openapi.responses import WRITES, responses
from core.errors import TicketClosed, TicketNotFound, VersionMismatch
from core.ticket_errors import AlreadyAssigned
from schemas.tickets import Ticket

router = APIRouter(prefix="/tickets/{ticket_id}", tags=["tickets"], route_class=CheckedRoute)

_RESPONSES = responses(WRITES, docs.TICKET_CHANGED, TicketNotFound, TicketClosed, AlreadyAssigned, VersionMismatch)
_Steal = Annotated[bool, Query(description="Take the ticket over if another principal has it.", examples=[True])]


@router.post("/take", response_model=Ticket, responses=_RESPONSES)
async def take_ticket(
    ticket_id: TicketId,
    expected: ExpectedVersions,
    assignments: Assignments,
    principal: Caller,
    steal: _Steal = False,
) -> Response:
    """Take a ticket.

    Assigns the ticket to the caller. If another principal has it, the request is refused (409), and `assignee_id` of
    the problem names that principal; `steal=true` takes the ticket over. To repeat the request is safe.
    """
    return changed_response(await assignments.take(ticket_id, principal, steal=steal, expected=expected))


@router.post("/release", response_model=Ticket, responses=_RESPONSES)
async def release_ticket(
    ticket_id: TicketId, expected: ExpectedVersions, assignments: Assignments, principal: Caller
) -> Response:
    """Release a ticket.

    Leaves the ticket of the caller without an assignee. If another principal has it, the request is refused (409); a
    PATCH of `assignee_id` changes it in any case. To repeat the request is safe.
    """
    return changed_response(await assignments.release(ticket_id, principal, expected=expected))
