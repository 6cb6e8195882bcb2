"""The tickets."""

from fastapi import APIRouter, Request, Response, status

from api.dependencies import Lists, Page, TicketId, Tickets, WantedTickets
from api.errors import responses
from api.headers import ExpectedVersions, KnownVersions, PastCache, cache_status, etag, link_to_next
from api.idempotency import IdempotencyKey, replayed
from core.errors import (
    IdempotencyKeyReused,
    IllegalTransition,
    InvalidCursor,
    RequestInProgress,
    SearchTimeout,
    TicketClosed,
    TicketNotFound,
    VersionMismatch,
)
from schemas.tickets import EventPage, Ticket, TicketCreate, TicketDetails, TicketPage, TicketPatch

router = APIRouter(prefix="/tickets", tags=["tickets"])


@router.post(
    "", status_code=status.HTTP_201_CREATED, responses=responses(RequestInProgress, IdempotencyKeyReused, body=True)
)
async def create_ticket(new: TicketCreate, tickets: Tickets, response: Response, key: IdempotencyKey = None) -> Ticket:
    """Open a ticket."""
    ticket, was_done_before = await tickets.create(new, key=key)
    response.headers.update({"Location": f"/tickets/{ticket.id}", "ETag": etag(ticket.version)})
    response.headers.update(replayed(was_done_before))
    return ticket


@router.get("", responses=responses(InvalidCursor, SearchTimeout))
async def list_tickets(wanted: WantedTickets, lists: Lists, request: Request, response: Response) -> TicketPage:
    """List the tickets for which every filter holds, the newest first unless sorted otherwise."""
    found = await lists.tickets(wanted)
    response.headers.update(link_to_next(request, found.next_cursor))
    return found


@router.get("/{ticket_id}", response_model=TicketDetails, responses=responses(TicketNotFound))
async def get_ticket(ticket_id: TicketId, known: KnownVersions, past_cache: PastCache, tickets: Tickets) -> Response:
    """Show a ticket with the latest 50 of its comments."""
    found, outcome = await tickets.look_up(ticket_id, past_cache=past_cache)
    # Others may keep it, but must ask each time whether it still stands.
    headers = {"ETag": etag(found.version), "Cache-Status": cache_status(outcome), "Cache-Control": "no-cache"}
    if known is None or found.version in known:
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(found.body, headers=headers, media_type="application/json")


@router.patch(
    "/{ticket_id}", responses=responses(TicketNotFound, TicketClosed, IllegalTransition, VersionMismatch, body=True)
)
async def change_ticket(
    ticket_id: TicketId, patch: TicketPatch, expected: ExpectedVersions, tickets: Tickets, response: Response
) -> Ticket:
    """Edit a ticket, move it to another status, or both."""
    ticket = await tickets.change(ticket_id, patch, expected=expected)
    response.headers["ETag"] = etag(ticket.version)
    return ticket


@router.get("/{ticket_id}/history", responses=responses(TicketNotFound, InvalidCursor))
async def list_history(
    ticket_id: TicketId, page: Page, lists: Lists, request: Request, response: Response
) -> EventPage:
    """Show what made each version of a ticket, the first first."""
    found = await lists.history(ticket_id, page)
    response.headers.update(link_to_next(request, found.next_cursor))
    return found
