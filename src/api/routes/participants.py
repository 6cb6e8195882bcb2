"""The participants of a ticket."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.dependencies import Caller, Participants, TicketId
from api.http.checked_route import CheckedRoute
from api.http.conditional import ExpectedVersions
from api.http.serialized import changed_response
from api.openapi import responses as docs
from api.openapi.responses import WRITES, responses
from core.errors import TicketClosed, TicketNotFound, VersionMismatch
from core.ticket_errors import TooManyParticipants
from schemas.fields import Email
from schemas.tickets import Ticket

router = APIRouter(prefix="/tickets/{ticket_id}/participants", tags=["participants"], route_class=CheckedRoute)

_Address = Annotated[Email, Path(description="The email address.", examples=["carol@example.com"])]


@router.put(
    "/{email}",
    response_model=Ticket,
    responses=responses(
        WRITES, docs.TICKET_CHANGED, TicketNotFound, TicketClosed, TooManyParticipants, VersionMismatch
    ),
)
async def add_participant(
    ticket_id: TicketId, email: _Address, expected: ExpectedVersions, participants: Participants, principal: Caller
) -> Response:
    """Add a participant.

    A participant sees the ticket and comments on it, as its requester does. Agents and the requester add and remove
    participants, at most 20. If the address participates already, or is the
    requester's, nothing changes.
    """
    return changed_response(await participants.add(ticket_id, email, principal, expected=expected))


@router.delete(
    "/{email}",
    response_model=Ticket,
    responses=responses(WRITES, docs.TICKET_CHANGED, TicketNotFound, TicketClosed, VersionMismatch),
)
async def remove_participant(
    ticket_id: TicketId, email: _Address, expected: ExpectedVersions, participants: Participants, principal: Caller
) -> Response:
    """Remove a participant.

    The address no longer sees the ticket. If it does not participate, nothing changes.
    """
    return changed_response(await participants.remove(ticket_id, email, principal, expected=expected))
