"""API keys."""

from fastapi import APIRouter, Request, Response, status

from api.dependencies import AllKeys, Caller, KeyId, Page
from api.http.checked_route import CheckedRoute
from api.http.headers import link_to_next, location_of
from api.openapi import directory_responses as docs
from api.openapi.request_bodies import NewKey
from api.openapi.responses import MUTATES, READS, WRITES, responses
from core.errors import InvalidCursor, InvalidReference, KeyNotCreated, KeyNotFound, LastAdmin
from schemas.keys import ApiKey, ApiKeyCreated, ApiKeyPage

router = APIRouter(prefix="/keys", tags=["keys"], route_class=CheckedRoute)


@router.get("", responses=responses(READS, docs.KEYS, InvalidCursor))
async def list_keys(page: Page, keys: AllKeys, principal: Caller, request: Request, response: Response) -> ApiKeyPage:
    """List API keys.

    Returns every key ever created, in the order of their creation, without the secrets.
    """
    found = await keys.page(page, principal)
    response.headers.update(link_to_next(request.scope, found.next_cursor))
    return found


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=responses(WRITES, docs.KEY_CREATED, KeyNotCreated, InvalidReference),
)
async def create_key(new: NewKey, keys: AllKeys, principal: Caller, response: Response) -> ApiKeyCreated:
    """Create an API key.

    Only this response contains the secret. A key acts as a service account, given by `name` and `role`, or as a person,
    given by `principal_id`. Each of them has at most two live keys, so that a key can be replaced without an
    interruption. The role and the email address of a name never change. A key with the scope `admin` can create keys
    without restriction.
    """
    key = await keys.create(new, principal)
    response.headers.update(location_of("/keys", key.id))
    return key


@router.get("/{key_id}", responses=responses(READS, docs.KEY, KeyNotFound))
async def get_key(key_id: KeyId, keys: AllKeys, principal: Caller) -> ApiKey:
    """Get an API key.

    Returns the key without its secret.
    """
    return await keys.find(key_id, principal)


@router.delete("/{key_id}", responses=responses(MUTATES, docs.KEY_REVOKED, KeyNotFound, LastAdmin))
async def revoke_key(key_id: KeyId, keys: AllKeys, principal: Caller) -> ApiKey:
    """Revoke an API key.

    Every process refuses the key within 10 s. Returns the key, which stays listed. The request can be repeated. It is
    refused (409) for the last key of the last admin.
    """
    return await keys.revoke(key_id, principal)
