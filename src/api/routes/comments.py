"""The comments of a ticket."""

from fastapi import APIRouter, Request, Response, status

from api.dependencies import Caller, CommentsPage, Lists, TicketId, Tickets
from api.http.checked_route import CheckedRoute
from api.http.conditional import ExpectedVersions
from api.http.headers import IdempotencyKey, link_to_next
from api.http.serialized import created_response
from api.openapi import responses as docs
from api.openapi.request_bodies import NewComment
from api.openapi.responses import READS, WRITES, responses
from core.errors import (
    FieldsRequired,
    IdempotencyKeyReused,
    IllegalTransition,
    InvalidCursor,
    RequestInProgress,
    TicketClosed,
    TicketNotFound,
    VersionMismatch,
)
from schemas.tickets import Comment, CommentPage

router = APIRouter(prefix="/tickets/{ticket_id}/comments", tags=["comments"], route_class=CheckedRoute)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=Comment,
    responses=responses(
        WRITES,
        docs.COMMENT_CREATED,
        TicketNotFound,
        TicketClosed,
        IllegalTransition,
        VersionMismatch,
        FieldsRequired,
        RequestInProgress,
        IdempotencyKeyReused,
    ),
)
async def create_comment(
    ticket_id: TicketId,
    new: NewComment,
    expected: ExpectedVersions,
    tickets: Tickets,
    principal: Caller,
    key: IdempotencyKey,
) -> Response:
    """Create a comment.

    With `visibility: internal` it is a note that only agents see, and write. With `status`, the status of the ticket
    changes in the same transaction, as one version. A closed ticket accepts no comments;
    `POST /tickets/{ticket_id}/follow-ups` continues it. A requester comments under their own email address only, and
    cannot set `answered`.
    """
    result, is_replay = await tickets.comment(ticket_id, new, principal, expected=expected, key=key)
    return created_response(result, is_replay=is_replay)


@router.get("", responses=responses(READS, docs.COMMENTS, TicketNotFound, InvalidCursor))
async def list_comments(
    ticket_id: TicketId, page: CommentsPage, lists: Lists, principal: Caller, request: Request, response: Response
) -> CommentPage:
    """List the comments of a ticket.

    Returns the comments, oldest first; with `include=merged` together with those of the tickets that were merged into
    it. Requesters get the public comments only.
    """
    comments = await lists.comments(ticket_id, page, principal)
    response.headers.update(link_to_next(request.scope, comments.next_cursor))
    return comments
