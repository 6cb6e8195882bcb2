"""Saved views: names for queries of the list of tickets."""

from typing import Annotated

from fastapi import APIRouter, Path, Response, status
from pydantic import BeforeValidator, Field

from api.dependencies import AllViews, Caller
from api.http.checked_route import CheckedRoute
from api.http.conditional import ExpectedVersions
from api.http.headers import etag_of, location_of
from api.openapi import desk_responses as docs
from api.openapi.request_bodies import PATCHES_VIEW, NewView, ViewChange
from api.openapi.responses import MUTATES, READS, WRITES, responses
from core.desk_errors import TooManyViews, ViewNotFound
from core.errors import InvalidFields, VersionMismatch
from schemas.fields import ID_MAX, plain_number
from schemas.views import SavedView, ViewCounts, ViewList

router = APIRouter(prefix="/views", tags=["views"], route_class=CheckedRoute)

_ViewId = Annotated[
    int,
    Field(ge=1, le=ID_MAX),
    BeforeValidator(plain_number),
    Path(description="The id of the view.", examples=[1]),
]


@router.get("", responses=responses(READS, docs.VIEWS))
async def list_views(views: AllViews, principal: Caller) -> ViewList:
    """List saved views.

    Returns the shared views and those of the caller. To list the tickets of a view, send its query to `GET /tickets`.
    """
    return await views.all(principal)


@router.post(
    "", status_code=status.HTTP_201_CREATED, responses=responses(WRITES, docs.VIEW_CREATED, InvalidFields, TooManyViews)
)
async def create_view(new: NewView, views: AllViews, principal: Caller, response: Response) -> SavedView:
    """Create a saved view.

    Creates a view of the caller, or with `shared` one of all agents. There are at most 50 shared views, and 50 of each
    principal.
    """
    view = await views.create(new, principal)
    response.headers.update(etag_of(view.version) | location_of("/views", view.id))
    return view


@router.get("/counts", responses=responses(READS, docs.VIEW_COUNTS))
async def count_views(views: AllViews, principal: Caller) -> ViewCounts:
    """Count the tickets of saved views.

    Returns the number of tickets in each view of `GET /views`, exact up to 99. A view has no number if its tickets can
    not be counted in time: there are two seconds for all views together.
    """
    return await views.counts(principal)


@router.get("/{view_id}", responses=responses(READS, docs.VIEW, ViewNotFound))
async def get_view(view_id: _ViewId, views: AllViews, principal: Caller, response: Response) -> SavedView:
    """Get a saved view.

    Returns a shared view or one of the caller. Views of others do not exist for the caller.
    """
    view = await views.find(view_id, principal)
    response.headers.update(etag_of(view.version))
    return view


@router.patch(
    "/{view_id}",
    responses=responses(WRITES, docs.VIEW_CHANGED, ViewNotFound, VersionMismatch, InvalidFields),
    openapi_extra=PATCHES_VIEW,
)
async def change_view(
    view_id: _ViewId,
    patch: ViewChange,
    expected: ExpectedVersions,
    views: AllViews,
    principal: Caller,
    response: Response,
) -> SavedView:
    """Change a saved view.

    The body is a merge patch (RFC 7396). The change of a shared view is one for all agents.
    """
    view = await views.change(view_id, patch, principal, expected=expected)
    response.headers.update(etag_of(view.version))
    return view


@router.delete("/{view_id}", responses=responses(MUTATES, docs.VIEW_DELETED, ViewNotFound, VersionMismatch))
async def delete_view(view_id: _ViewId, expected: ExpectedVersions, views: AllViews, principal: Caller) -> SavedView:
    """Delete a saved view.

    Returns the view as it was. A shared view is deleted for all agents.
    """
    return await views.delete(view_id, principal, expected=expected)
