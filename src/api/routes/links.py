"""Links, merges and follow-ups: operations that concern several tickets."""

from typing import Annotated

from fastapi import APIRouter, Path, Response, status

from api.dependencies import Caller, FollowUpsOf, Links, MergesOf, TicketId
from api.http.checked_route import CheckedRoute
from api.http.conditional import ExpectedVersions
from api.http.headers import IdempotencyKey
from api.http.serialized import changed_response, created_response
from api.openapi import responses as docs
from api.openapi.request_bodies import MergeTarget, NewTicket
from api.openapi.responses import REFUSED_VALUES, WRITES, responses
from core.errors import IdempotencyKeyReused, InvalidReference, RequestInProgress, TicketNotFound, VersionMismatch
from core.ticket_errors import (
    ExternalIdTaken,
    LinkToItself,
    MergeNotPossible,
    MergeTooOld,
    NotMerged,
    TicketNotClosed,
    TooManyLinks,
)
from models import LinkType
from schemas.tickets import Ticket

router = APIRouter(prefix="/tickets/{ticket_id}", tags=["links"], route_class=CheckedRoute)

_Type = Annotated[
    LinkType, Path(description="What the ticket is to the other one.", examples=["blocks"], alias="link_type")
]
_Other = Annotated[TicketId, Path(description="The id of the other ticket.", examples=[2], alias="other_id")]


@router.put(
    "/links/{link_type}/{other_id}",
    response_model=Ticket,
    responses=responses(
        WRITES, docs.TICKET_CHANGED, TicketNotFound, LinkToItself, TooManyLinks, InvalidReference, VersionMismatch
    ),
)
async def add_link(
    ticket_id: TicketId,
    link_type: _Type,
    other_id: _Other,
    expected: ExpectedVersions,
    links: Links,
    principal: Caller,
) -> Response:
    """Link two tickets.

    Both tickets show the link, the other one with the inverse type, and both get a version with an internal event. If
    the link exists, nothing changes. Closed tickets can be linked too.
    """
    return changed_response(await links.add(ticket_id, link_type, other_id, principal, expected=expected))


@router.delete(
    "/links/{link_type}/{other_id}",
    response_model=Ticket,
    responses=responses(WRITES, docs.TICKET_CHANGED, TicketNotFound, LinkToItself, InvalidReference, VersionMismatch),
)
async def remove_link(
    ticket_id: TicketId,
    link_type: _Type,
    other_id: _Other,
    expected: ExpectedVersions,
    links: Links,
    principal: Caller,
) -> Response:
    """Remove a link.

    Both tickets get a version with an internal event. If there is no such link, nothing changes.
    """
    return changed_response(await links.remove(ticket_id, link_type, other_id, principal, expected=expected))


@router.post(
    "/merge",
    response_model=Ticket,
    responses=responses(
        WRITES, docs.TICKET_CHANGED, TicketNotFound, MergeNotPossible, InvalidReference, VersionMismatch
    ),
)
async def merge_ticket(
    ticket_id: TicketId, target: MergeTarget, expected: ExpectedVersions, merges: MergesOf, principal: Caller
) -> Response:
    """Merge a ticket into another one.

    Closes the ticket as merged, and returns the target. The comments stay where they are:
    `GET /tickets/{ticket_id}/comments?include=merged` of the target lists them too, and searches find their words under
    the target. The requester and the participants of the ticket participate in the target from then on. If the target
    was merged itself, the ticket is merged into the last one of that chain. To repeat the request is safe. Fields that
    are required to close a ticket are not required here. The target may have up to 500 participants then.
    """
    return changed_response(await merges.merge(ticket_id, target.into, principal, expected=expected))


@router.delete(
    "/merge",
    status_code=status.HTTP_201_CREATED,
    response_model=Ticket,
    responses=responses(WRITES, docs.TICKET_PUT, TicketNotFound, NotMerged, MergeTooOld, VersionMismatch),
)
async def undo_merge(ticket_id: TicketId, expected: ExpectedVersions, merges: MergesOf, principal: Caller) -> Response:
    """Undo a merge.

    Within 24 hours, takes the ticket out of its target and opens a follow-up of it, which is returned: a closed ticket
    is never opened again. The follow-up has the values of the ticket, and the addresses that participate in the target
    because of this merge alone are removed there. If the response was lost, `follow_ups` of the ticket names it.
    """
    result = await merges.undo(ticket_id, principal, expected=expected)
    return created_response(result, is_replay=False, location=f"/tickets/{result.ticket_id}")


@router.post(
    "/follow-ups",
    status_code=status.HTTP_201_CREATED,
    response_model=Ticket,
    responses=responses(
        WRITES,
        docs.TICKET_CREATED,
        TicketNotFound,
        TicketNotClosed,
        VersionMismatch,
        *REFUSED_VALUES,
        ExternalIdTaken,
        RequestInProgress,
        IdempotencyKeyReused,
    ),
)
async def open_follow_up(
    ticket_id: TicketId,
    new: NewTicket,
    expected: ExpectedVersions,
    follow_ups: FollowUpsOf,
    principal: Caller,
    key: IdempotencyKey,
) -> Response:
    """Open a follow-up.

    Creates a ticket that continues a closed one: `follow_up_of` names the closed ticket, whose `follow_ups` list the
    new one.
    """
    result, is_replay = await follow_ups.open(ticket_id, new, principal, expected=expected, key=key)
    return created_response(result, is_replay=is_replay, location=f"/tickets/{result.ticket_id}")
