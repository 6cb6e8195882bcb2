"""The tickets."""

from fastapi import APIRouter, Request, Response, status

from api.dependencies import Caller, Lists, Page, TicketId, Tickets, WantedTickets
from api.http.conditional import ExpectedVersions, KnownVersions, PastCache, etag
from api.http.headers import IdempotencyKey, link_to_next, replayed
from api.http.serialized import list_response, lookup_response
from api.openapi import responses as answers
from api.openapi.request_bodies import TAKES_MERGE_PATCH, NewTicket, Patch
from api.openapi.responses import READING, WRITING, responses
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
from schemas.tickets import EventPage, Ticket, TicketDetails, TicketPage

router = APIRouter(prefix="/tickets", tags=["tickets"])


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=responses(answers.TICKET_CREATED, RequestInProgress, IdempotencyKeyReused, *WRITING),
)
async def create_ticket(
    new: NewTicket, tickets: Tickets, who: Caller, response: Response, key: IdempotencyKey = None
) -> Ticket:
    """Open a ticket.

    It starts `open`, at version 1. Subject and text are kept exactly as sent; of the address the domain is put into
    lower case. Send an `Idempotency-Key` to be free to send the request again when no answer came.
    """
    ticket, was_done_before = await tickets.create(new, who, key=key)
    response.headers.update({"Location": f"/tickets/{ticket.id}", "ETag": etag(ticket.version)})
    response.headers.update(replayed(was_done_before))
    return ticket


@router.get("", response_model=TicketPage, responses=responses(answers.TICKETS, InvalidCursor, SearchTimeout, *READING))
async def list_tickets(wanted: WantedTickets, lists: Lists, who: Caller, request: Request) -> Response:
    """List tickets.

    Those for which every filter holds, the newest first unless sorted otherwise; `q` searches for words. A page costs
    the same however deep it lies; a cursor belongs to the filters and the order of the page that gave it. Comments are
    not in the list.
    """
    # `FastPathMiddleware` calls this function directly for nearly all requests.
    return list_response(request.scope, await lists.tickets(wanted, who))


@router.get(
    "/{ticket_id}",
    response_model=TicketDetails,
    responses=responses(answers.TICKET, answers.NOT_MODIFIED, TicketNotFound, *READING),
)
async def get_ticket(
    ticket_id: TicketId, known: KnownVersions, past_cache: PastCache, tickets: Tickets, who: Caller
) -> Response:
    """Show a ticket with its comments.

    The latest 50 comments, in the order in which they were written; the comments' own list has them all. The answer
    comes from the cache where it can, which never gives what a change that was acknowledged has overwritten.
    """
    # `FastPathMiddleware` calls this function directly for nearly all requests.
    stored, outcome = await tickets.look_up(ticket_id, who, past_cache=past_cache)
    return lookup_response(stored, outcome, known)


@router.patch(
    "/{ticket_id}",
    responses=responses(
        answers.TICKET_CHANGED, TicketNotFound, TicketClosed, IllegalTransition, VersionMismatch, *WRITING
    ),
    openapi_extra=TAKES_MERGE_PATCH,
)
async def change_ticket(
    ticket_id: TicketId, patch: Patch, expected: ExpectedVersions, tickets: Tickets, who: Caller, response: Response
) -> Ticket:
    """Edit a ticket, move it to another status, or both.

    A merge patch (RFC 7396): what it names is changed, as one version; what it leaves out stays. An edit that changes
    nothing makes no version. A status must be one of the ticket's `allowed_transitions`; `closed` is final.
    """
    ticket = await tickets.change(ticket_id, patch, who, expected=expected)
    response.headers["ETag"] = etag(ticket.version)
    return ticket


@router.get("/{ticket_id}/history", responses=responses(answers.HISTORY, TicketNotFound, InvalidCursor, *READING))
async def list_history(
    ticket_id: TicketId, page: Page, lists: Lists, who: Caller, request: Request, response: Response
) -> EventPage:
    """Show what made each version of a ticket.

    The first first: who opened it, each edit with the values before and after, each comment, each transition.
    """
    found = await lists.history(ticket_id, page, who)
    response.headers.update(link_to_next(request.scope, found.next_cursor))
    return found
