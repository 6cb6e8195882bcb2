"""Tickets and their history."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response, status

from api.dependencies import Caller, ListQuery, Lists, Page, TicketId, Tickets
from api.http.checked_route import CheckedRoute
from api.http.conditional import BypassCache, ExpectedVersions, KnownVersions
from api.http.headers import IdempotencyKey, link_to_next
from api.http.serialized import (
    changed_response,
    created_response,
    list_response,
    lookup_response,
    upserted_response,
)
from api.openapi import responses as docs
from api.openapi.request_bodies import TAKES_MERGE_PATCH, NewTicket, Patch
from api.openapi.responses import READS, REFUSED_VALUES, WRITES, responses
from core.errors import (
    IdempotencyKeyReused,
    IllegalTransition,
    InvalidCursor,
    InvalidFields,
    RequestInProgress,
    SearchTimeout,
    TicketClosed,
    TicketNotFound,
    VersionMismatch,
)
from core.ticket_errors import ExternalIdTaken
from schemas.events import EventPage
from schemas.tickets import Ticket, TicketDetails, TicketPage
from schemas.working_fields import ExternalIdText, SourceName

SourcePath = Annotated[SourceName, Path(description="The other system.", examples=["shop"])]
ExternalIdPath = Annotated[ExternalIdText, Path(description="The id of the ticket there.", examples=["A-1001"])]

router = APIRouter(prefix="/tickets", tags=["tickets"], route_class=CheckedRoute)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=Ticket,
    responses=responses(
        WRITES, docs.TICKET_CREATED, *REFUSED_VALUES, ExternalIdTaken, RequestInProgress, IdempotencyKeyReused
    ),
)
async def create_ticket(new: NewTicket, tickets: Tickets, principal: Caller, key: IdempotencyKey) -> Response:
    """Create a ticket.

    Its status is `open` and its version 1. Subject and text are stored as sent; the domain of the email address is
    converted to lower case. With an `Idempotency-Key`, the request can be retried safely if its response was lost. A
    requester creates tickets under their own email address only.
    """
    result, is_replay = await tickets.create(new, principal, key=key)
    return created_response(result, is_replay=is_replay, location=f"/tickets/{result.ticket_id}")


@router.put(
    "/by-external-id/{source}/{external_id}",
    response_model=Ticket,
    responses=responses(WRITES, docs.TICKET_FOUND, docs.TICKET_PUT, *REFUSED_VALUES),
)
async def put_ticket_by_external_id(
    source: SourcePath, external_id: ExternalIdPath, new: NewTicket, tickets: Tickets, principal: Caller
) -> Response:
    """Create a ticket by its external id, or return it.

    `source` names another system and `external_id` the ticket in that system. If a ticket has this external id, it is
    returned unchanged (200); otherwise it is created (201). To repeat the request is safe, also at the same time.
    """
    result, existed = await tickets.upsert(source, external_id, new, principal)
    return upserted_response(result, existed=existed)


@router.get(
    "", response_model=TicketPage, responses=responses(READS, docs.TICKETS, InvalidFields, InvalidCursor, SearchTimeout)
)
async def list_tickets(query: ListQuery, lists: Lists, principal: Caller, request: Request) -> Response:
    """List tickets.

    Returns the tickets that match all filters, newest first by default. `q` searches for words, and the parameter
    `custom.KEY=VALUE` filters by a custom field, by its key. All pages cost the same. A cursor is valid only with the
    filters and the sort order of the page that returned it. The list does not include comments. A requester gets the
    tickets that they see: their own, and those in which they participate.
    """
    # `FastPathMiddleware` calls this function directly for nearly all requests.
    return list_response(request.scope, await lists.tickets(query, principal))


@router.get(
    "/{ticket_id}",
    response_model=TicketDetails,
    responses=responses(READS, docs.TICKET, docs.NOT_MODIFIED, TicketNotFound),
)
async def get_ticket(
    ticket_id: TicketId, known: KnownVersions, bypass_cache: BypassCache, tickets: Tickets, principal: Caller
) -> Response:
    """Get a ticket with its latest comments.

    Returns the ticket with its latest comments, oldest first: at most 50, and at most 256 KiB of their texts. If
    `comments_truncated` is true, `GET /tickets/{ticket_id}/comments` returns the others. The response can come from the
    cache. It includes every change that was acknowledged before the request, unless `Cache-Status` has
    `detail=stale-if-error`: the database is unavailable.
    """
    # `FastPathMiddleware` calls this function directly for nearly all requests.
    stored, outcome = await tickets.look_up(ticket_id, principal, bypass_cache=bypass_cache)
    return lookup_response(stored, outcome, known)


@router.patch(
    "/{ticket_id}",
    response_model=Ticket,
    responses=responses(
        WRITES, docs.TICKET_CHANGED, TicketNotFound, TicketClosed, IllegalTransition, VersionMismatch, *REFUSED_VALUES
    ),
    openapi_extra=TAKES_MERGE_PATCH,
)
async def change_ticket(
    ticket_id: TicketId,
    patch: Patch,
    expected: ExpectedVersions,
    tickets: Tickets,
    principal: Caller,
) -> Response:
    """Change a ticket.

    The body is a merge patch (RFC 7396): the fields that are present replace the stored values, as one version; in
    `custom`, those of its members, and null removes a value. With `If-Match`, the change is refused (412) if another
    client has changed the ticket since; without it, the change overwrites. An edit without any difference creates no
    version. A new status must be one of the ticket's `allowed_transitions`; `closed` is final. A requester cannot set
    `answered`, nor priority, assignee, group and tags; a participant changes nothing.
    """
    return changed_response(await tickets.change(ticket_id, patch, principal, expected=expected))


@router.get("/{ticket_id}/history", responses=responses(READS, docs.HISTORY, TicketNotFound, InvalidCursor))
async def list_history(
    ticket_id: TicketId, page: Page, lists: Lists, principal: Caller, request: Request, response: Response
) -> EventPage:
    """List the history of a ticket.

    Returns one event for each version, oldest first: the creation, each edit and each transition with previous and new
    values, each comment. A requester does not get internal events.
    """
    events = await lists.history(ticket_id, page, principal)
    response.headers.update(link_to_next(request.scope, events.next_cursor))
    return events
