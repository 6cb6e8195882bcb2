"""Canned replies: texts that agents insert into their replies."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import BeforeValidator, Field

from api.dependencies import AllCannedReplies, Caller
from api.http.checked_route import CheckedRoute
from api.http.conditional import ExpectedVersions
from api.http.headers import etag_of, link_to_next, location_of
from api.openapi import desk_responses as docs
from api.openapi.request_bodies import PATCHES_CANNED_REPLY, CannedReplyChange, NewCannedReply
from api.openapi.responses import MUTATES, READS, WRITES, responses
from core.desk_errors import CannedReplyNotFound, TooManyCannedReplies
from core.errors import AlreadyExists, InvalidCursor, InvalidReference, TicketNotFound, VersionMismatch
from schemas.canned_replies import CannedRepliesQuery, CannedReply, CannedReplyPage, RenderedReply, RenderQuery
from schemas.fields import ID_MAX, plain_number

router = APIRouter(prefix="/canned-replies", tags=["canned replies"], route_class=CheckedRoute)

_ReplyId = Annotated[
    int,
    Field(ge=1, le=ID_MAX),
    BeforeValidator(plain_number),
    Path(description="The id of the canned reply.", examples=[1]),
]


@router.get("", responses=responses(READS, docs.CANNED_REPLIES, InvalidCursor))
async def list_canned_replies(
    query: Annotated[CannedRepliesQuery, Query()],
    replies: AllCannedReplies,
    principal: Caller,
    request: Request,
    response: Response,
) -> CannedReplyPage:
    """List canned replies.

    Returns the replies for all agents and those of the groups of the caller; to admins all. They are in the order of
    their shortcuts.
    """
    page = await replies.page(query, principal)
    response.headers.update(link_to_next(request.scope, page.next_cursor))
    return page


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=responses(WRITES, docs.CANNED_REPLY_CREATED, AlreadyExists, TooManyCannedReplies, InvalidReference),
)
async def create_canned_reply(
    new: NewCannedReply, replies: AllCannedReplies, principal: Caller, response: Response
) -> CannedReply:
    """Create a canned reply.

    It is for all agents, or for the members of a group, of which the caller must be one unless it is an admin. There
    are at most 1,000.
    """
    reply = await replies.create(new, principal)
    response.headers.update(etag_of(reply.version) | location_of("/canned-replies", reply.id))
    return reply


@router.get("/{reply_id}", responses=responses(READS, docs.CANNED_REPLY, CannedReplyNotFound))
async def get_canned_reply(
    reply_id: _ReplyId, replies: AllCannedReplies, principal: Caller, response: Response
) -> CannedReply:
    """Get a canned reply.

    Returns the reply with the variables in its text.
    """
    reply = await replies.find(reply_id, principal)
    response.headers.update(etag_of(reply.version))
    return reply


@router.get(
    "/{reply_id}/rendered", responses=responses(READS, docs.RENDERED_REPLY, CannedReplyNotFound, TicketNotFound)
)
async def render_canned_reply(
    reply_id: _ReplyId, query: Annotated[RenderQuery, Query()], replies: AllCannedReplies, principal: Caller
) -> RenderedReply:
    """Render a canned reply.

    Returns the text with the values of a ticket and of the caller in place of the variables. What a value contains is
    not replaced again.
    """
    return await replies.rendered(reply_id, query.ticket_id, principal)


@router.patch(
    "/{reply_id}",
    responses=responses(
        WRITES, docs.CANNED_REPLY_CHANGED, CannedReplyNotFound, AlreadyExists, VersionMismatch, InvalidReference
    ),
    openapi_extra=PATCHES_CANNED_REPLY,
)
async def change_canned_reply(
    reply_id: _ReplyId,
    patch: CannedReplyChange,
    expected: ExpectedVersions,
    replies: AllCannedReplies,
    principal: Caller,
    response: Response,
) -> CannedReply:
    """Change a canned reply.

    The body is a merge patch (RFC 7396). A caller that is no admin must be a member of the new group.
    """
    reply = await replies.change(reply_id, patch, principal, expected=expected)
    response.headers.update(etag_of(reply.version))
    return reply


@router.delete(
    "/{reply_id}",
    responses=responses(MUTATES, docs.CANNED_REPLY_DELETED, CannedReplyNotFound, VersionMismatch),
)
async def delete_canned_reply(
    reply_id: _ReplyId, expected: ExpectedVersions, replies: AllCannedReplies, principal: Caller
) -> CannedReply:
    """Delete a canned reply.

    Returns the reply as it was.
    """
    return await replies.delete(reply_id, principal, expected=expected)
