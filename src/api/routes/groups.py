"""The groups of agents."""

from fastapi import APIRouter, Request, Response, status

from api.dependencies import AllGroups, Caller, GroupId, MemberId, Page
from api.http.checked_route import CheckedRoute
from api.http.conditional import ExpectedVersions
from api.http.headers import etag_of, link_to_next, location_of
from api.openapi import directory_responses as docs
from api.openapi.request_bodies import PATCHES_GROUP, GroupChange, NewGroup
from api.openapi.responses import MUTATES, READS, WRITES, responses
from core.errors import (
    AlreadyExists,
    GroupNotFound,
    InvalidCursor,
    InvalidReference,
    PrincipalNotFound,
    VersionMismatch,
)
from schemas.groups import Group, GroupPage

router = APIRouter(prefix="/groups", tags=["groups"], route_class=CheckedRoute)


@router.get("", responses=responses(READS, docs.GROUPS, InvalidCursor))
async def list_groups(
    page: Page, groups: AllGroups, principal: Caller, request: Request, response: Response
) -> GroupPage:
    """List groups.

    Returns the groups with their members, in the order of their ids.
    """
    found = await groups.page(page, principal)
    response.headers.update(link_to_next(request.scope, found.next_cursor))
    return found


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=responses(WRITES, docs.GROUP_CREATED, AlreadyExists, InvalidReference),
)
async def create_group(new: NewGroup, groups: AllGroups, principal: Caller, response: Response) -> Group:
    """Create a group.

    Members are active agents and admins, people or service accounts.
    """
    group = await groups.create(new, principal)
    response.headers.update(etag_of(group.version) | location_of("/groups", group.id))
    return group


@router.get("/{group_id}", responses=responses(READS, docs.GROUP, GroupNotFound))
async def get_group(group_id: GroupId, groups: AllGroups, principal: Caller, response: Response) -> Group:
    """Get a group.

    Returns the group with its members.
    """
    group = await groups.find(group_id, principal)
    response.headers.update(etag_of(group.version))
    return group


@router.patch(
    "/{group_id}",
    responses=responses(WRITES, docs.GROUP_CHANGED, GroupNotFound, AlreadyExists, VersionMismatch, InvalidReference),
    openapi_extra=PATCHES_GROUP,
)
async def change_group(
    group_id: GroupId,
    patch: GroupChange,
    expected: ExpectedVersions,
    groups: AllGroups,
    principal: Caller,
    response: Response,
) -> Group:
    """Change a group.

    The body is a merge patch (RFC 7396) of `name`, `active`, `auto_close_after` and `members`, a list that replaces all
    members. To add or remove one member, whatever others do meanwhile, use `PUT` and `DELETE
    /groups/{group_id}/members/{principal_id}`.
    """
    group = await groups.change(group_id, patch, principal, expected=expected)
    response.headers.update(etag_of(group.version))
    return group


@router.put(
    "/{group_id}/members/{principal_id:path}",
    responses=responses(MUTATES, docs.GROUP_CHANGED, GroupNotFound, InvalidReference),
)
async def add_group_member(
    group_id: GroupId, principal_id: MemberId, groups: AllGroups, principal: Caller, response: Response
) -> Group:
    """Add a member to a group.

    Returns the group. The request can be repeated: a member is added once.
    """
    group = await groups.add_member(group_id, principal_id, principal)
    response.headers.update(etag_of(group.version))
    return group


@router.delete(
    "/{group_id}/members/{principal_id:path}",
    responses=responses(MUTATES, docs.GROUP_CHANGED, GroupNotFound, PrincipalNotFound),
)
async def remove_group_member(
    group_id: GroupId, principal_id: MemberId, groups: AllGroups, principal: Caller, response: Response
) -> Group:
    """Remove a member from a group.

    Returns the group. The request can be repeated, and succeeds if the principal is no member.
    """
    group = await groups.remove_member(group_id, principal_id, principal)
    response.headers.update(etag_of(group.version))
    return group
