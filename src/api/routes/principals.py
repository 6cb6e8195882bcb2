"""The principals that events name."""

from fastapi import APIRouter

from api.dependencies import AllPrincipals, Caller, PrincipalId
from api.http.checked_route import CheckedRoute
from api.openapi import directory_responses as docs
from api.openapi.responses import READS, responses
from core.errors import PrincipalNotFound
from schemas.principals import PrincipalDetails

router = APIRouter(prefix="/principals", tags=["people"], route_class=CheckedRoute)


# An id may contain a slash: the name of an API key can be any text.
@router.get(
    "/{principal_id:path}",
    responses=responses(READS, docs.PRINCIPAL, PrincipalNotFound),
    response_model_exclude_unset=True,
)
async def get_principal(principal_id: PrincipalId, principals: AllPrincipals, principal: Caller) -> PrincipalDetails:
    """Get a principal.

    Returns the person, service account or part of the service that an event names as its `actor`. Ids that begin with
    `oidc:`, of events before people had ids of their own, lead to the person. A requester gets names alone, and only
    of principals that wrote publicly on a ticket that the requester can read.
    """
    return await principals.find(principal_id, principal)
