"""Single tags of a ticket."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.dependencies import Caller, Tags, TicketId
from api.http.checked_route import CheckedRoute
from api.http.conditional import ExpectedVersions
from api.http.serialized import changed_response
from api.openapi import responses as docs
from api.openapi.responses import WRITES, responses
from core.errors import TicketClosed, TicketNotFound, VersionMismatch
from core.ticket_errors import TooManyTags
from schemas.tickets import Ticket
from schemas.working_fields import Tag

router = APIRouter(prefix="/tickets/{ticket_id}/tags", tags=["tags"], route_class=CheckedRoute)

_Tag = Annotated[Tag, Path(description="The tag.", examples=["printer"])]


@router.put(
    "/{tag}",
    response_model=Ticket,
    responses=responses(WRITES, docs.TICKET_CHANGED, TicketNotFound, TicketClosed, TooManyTags, VersionMismatch),
)
async def add_tag(
    ticket_id: TicketId, tag: _Tag, expected: ExpectedVersions, tags: Tags, principal: Caller
) -> Response:
    """Add a tag.

    Adds the tag to the ticket; if the ticket has it, nothing changes. Clients that change different tags of a ticket at
    the same time lose nothing.
    """
    return changed_response(await tags.add(ticket_id, tag, principal, expected=expected))


@router.delete(
    "/{tag}",
    response_model=Ticket,
    responses=responses(WRITES, docs.TICKET_CHANGED, TicketNotFound, TicketClosed, VersionMismatch),
)
async def remove_tag(
    ticket_id: TicketId, tag: _Tag, expected: ExpectedVersions, tags: Tags, principal: Caller
) -> Response:
    """Remove a tag.

    Removes the tag from the ticket; if the ticket does not have it, nothing changes.
    """
    return changed_response(await tags.remove(ticket_id, tag, principal, expected=expected))
