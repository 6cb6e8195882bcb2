"""The comments of a ticket."""

from fastapi import APIRouter, Request, Response, status

from api.dependencies import Caller, Lists, Page, TicketId, Tickets
from api.http.conditional import ExpectedVersions, etag
from api.http.headers import IdempotencyKey, link_to_next, replayed
from api.openapi import responses as docs
from api.openapi.request_bodies import NewComment
from api.openapi.responses import READS, WRITES, responses
from core.errors import (
    IdempotencyKeyReused,
    IllegalTransition,
    InvalidCursor,
    RequestInProgress,
    TicketClosed,
    TicketNotFound,
    VersionMismatch,
)
from schemas.tickets import Comment, CommentPage

router = APIRouter(prefix="/tickets/{ticket_id}/comments", tags=["comments"])


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=responses(
        WRITES,
        docs.COMMENT_CREATED,
        TicketNotFound,
        TicketClosed,
        IllegalTransition,
        VersionMismatch,
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
    response: Response,
    key: IdempotencyKey = None,
) -> Comment:
    """Create a comment.

    With `status`, the status of the ticket changes in the same transaction, as one version. A closed ticket accepts no
    comments. A requester comments under their own email address only, and cannot
    set `answered`.
    """
    added, is_replay = await tickets.comment(ticket_id, new, principal, expected=expected, key=key)
    response.headers.update({"ETag": etag(added.version)} | replayed(is_replay))
    return added.comment


@router.get("", responses=responses(READS, docs.COMMENTS, TicketNotFound, InvalidCursor))
async def list_comments(
    ticket_id: TicketId, page: Page, lists: Lists, principal: Caller, request: Request, response: Response
) -> CommentPage:
    """List the comments of a ticket.

    Returns the comments, oldest first.
    """
    comments = await lists.comments(ticket_id, page, principal)
    response.headers.update(link_to_next(request.scope, comments.next_cursor))
    return comments
