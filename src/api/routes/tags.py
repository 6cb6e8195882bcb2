"""The tags of all tickets."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.dependencies import AllTags, Caller
from api.http.checked_route import CheckedRoute
from api.http.headers import link_to_next
from api.openapi import responses as docs
from api.openapi.request_bodies import TagNames
from api.openapi.responses import READS, WRITES, responses
from core.errors import InvalidCursor
from core.ticket_errors import TooManyTickets
from schemas.tags import TagPage, TagRenamed, TagsQuery

router = APIRouter(prefix="/tags", tags=["tags"], route_class=CheckedRoute)


@router.get("", responses=responses(READS, docs.TAGS, InvalidCursor))
async def list_tags(
    query: Annotated[TagsQuery, Query()], tags: AllTags, principal: Caller, request: Request, response: Response
) -> TagPage:
    """List tags.

    Returns the tags in the order of their characters, each with the number of its tickets: exact up to 1,000, and
    `more_than` in place of `count` beyond it.
    """
    page = await tags.page(query, principal)
    response.headers.update(link_to_next(request.scope, page.next_cursor))
    return page


@router.post("/rename", responses=responses(WRITES, docs.TAG_RENAMED, TooManyTickets))
async def rename_tag(rename: TagNames, tags: AllTags, principal: Caller) -> TagRenamed:
    """Rename a tag.

    Gives all tickets of a tag another tag in its place, closed tickets too, each as one change. If the new tag exists,
    both are merged. Refused (409) if more than 10,000 tickets have the tag. To repeat the request is safe; if
    `is_complete` is false, repeat it for the others.
    """
    return await tags.rename(rename, principal)
