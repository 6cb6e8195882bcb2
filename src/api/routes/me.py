"""The caller."""

from fastapi import APIRouter

from api.dependencies import AllPrincipals, Caller
from api.http.checked_route import CheckedRoute
from api.openapi import directory_responses as docs
from api.openapi.responses import PROTECTED, responses
from schemas.principals import Me

router = APIRouter(prefix="/me", tags=["people"], route_class=CheckedRoute)


@router.get("", responses=responses(PROTECTED, docs.ME))
async def get_me(principals: AllPrincipals, principal: Caller) -> Me:
    """Get the caller.

    Returns the principal that the credentials of the request authenticate, with its role, its scopes and its groups.
    """
    return await principals.me(principal)
