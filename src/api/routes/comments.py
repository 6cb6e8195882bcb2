"""The comments of a ticket."""

from fastapi import APIRouter, Request, Response, status

from api.dependencies import Caller, Lists, Page, TicketId, Tickets
from api.http.conditional import ExpectedVersions, etag
from api.http.headers import IdempotencyKey, link_to_next, replayed
from api.openapi import responses as answers
from api.openapi.request_bodies import NewComment
from api.openapi.responses import READING, WRITING, responses
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
        answers.COMMENT_CREATED,
        TicketNotFound,
        TicketClosed,
        IllegalTransition,
        VersionMismatch,
        RequestInProgress,
        IdempotencyKeyReused,
        *WRITING,
    ),
)
async def create_comment(
    ticket_id: TicketId,
    new: NewComment,
    expected: ExpectedVersions,
    tickets: Tickets,
    who: Caller,
    response: Response,
    key: IdempotencyKey = None,
) -> Comment:
    """Add a comment.

    With `status` the ticket makes that transition too: both happen, as one version, or neither. A closed ticket takes
    no comment.
    """
    added, was_done_before = await tickets.comment(ticket_id, new, who, expected=expected, key=key)
    response.headers.update({"ETag": etag(added.version)} | replayed(was_done_before))
    return added.comment


@router.get("", responses=responses(answers.COMMENTS, TicketNotFound, InvalidCursor, *READING))
async def list_comments(
    ticket_id: TicketId, page: Page, lists: Lists, who: Caller, request: Request, response: Response
) -> CommentPage:
    """List the comments of a ticket.

    All of them, the oldest first.
    """
    found = await lists.comments(ticket_id, page, who)
    response.headers.update(link_to_next(request.scope, found.next_cursor))
    return found
