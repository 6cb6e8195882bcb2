"""API keys as admins manage them over HTTP."""

from datetime import datetime
from typing import Final

from core.errors import Forbidden, KeyNotFound
from models import Scope
from schemas.keys import ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyPage
from schemas.lists import Paging
from services.access.api_key_cache import ApiKeyCache
from services.access.api_keys import ApiKeyRecord, ApiKeys
from services.access.principal import Principal
from services.cursors import StoredCursors

_LIST_KEY: Final = "keys"


class KeyService:
    """Lists, creates and revokes keys, for admins.

    Every method raises Forbidden, InsufficientScope, DatabaseUnavailable and DeadlineExceeded; those that write also
    raise OutcomeUnknown.
    """

    def __init__(self, keys: ApiKeys, cache: ApiKeyCache, cursors: StoredCursors) -> None:
        self._keys = keys
        self._cache = cache
        self._cursors = cursors

    async def page(self, paging: Paging, principal: Principal) -> ApiKeyPage:
        """Return keys in the order of their creation, revoked ones included. Raises InvalidCursor."""
        _require_reading_admin(principal)
        cursors = await self._cursors.get()
        after = None
        if paging.cursor is not None:
            time, key_id = cursors.unseal(_LIST_KEY, paging.cursor)
            after = datetime.fromisoformat(time), key_id
        records = await self._keys.page(after, paging.limit + 1)
        items = [ApiKey.model_validate(_shown(record)) for record in records[: paging.limit]]
        next_cursor = None
        if len(records) > paging.limit:
            next_cursor = cursors.seal(_LIST_KEY, [items[-1].created_at.isoformat(), items[-1].id])
        return ApiKeyPage(items=items, next_cursor=next_cursor)

    async def find(self, key_id: str, principal: Principal) -> ApiKey:
        """Return a key without its secret. Raises KeyNotFound."""
        _require_reading_admin(principal)
        return _found(key_id, await self._keys.find(key_id))

    async def create(self, new: ApiKeyCreate, principal: Principal) -> ApiKeyCreated:
        """Create a key and return it with its secret, which is not stored. Raises KeyNotCreated, InvalidReference."""
        principal.require_admin()
        scopes = None if new.scopes is None else frozenset(new.scopes)
        if new.principal_id is not None:
            key, record = await self._keys.create_for_person(new.principal_id, new.expires_at, scopes=scopes)
        else:
            assert new.name is not None and new.role is not None  # noqa: S101, PT018 - the schema requires them
            key, record = await self._keys.create(new.name, new.role, new.email, new.expires_at, scopes=scopes)
        self._cache.require()
        return ApiKeyCreated.model_validate(_shown(record) | {"secret": str(key)})

    async def revoke(self, key_id: str, principal: Principal) -> ApiKey:
        """Revoke a key, unless it is revoked, and return it. Raises KeyNotFound, LastAdmin."""
        principal.require_admin()
        return _found(key_id, await self._keys.revoke(key_id, keeps_an_admin=True))


def _require_reading_admin(principal: Principal) -> None:
    """Raise Forbidden unless the principal is an admin, and InsufficientScope without the scope `read`."""
    if not principal.is_admin:
        raise Forbidden("only admins may do this")
    principal.require(Scope.READ)


def _found(key_id: str, record: ApiKeyRecord | None) -> ApiKey:
    if record is None:
        raise KeyNotFound(key_id)
    return ApiKey.model_validate(_shown(record))


def _shown(record: ApiKeyRecord) -> dict[str, object]:
    shown = {name: getattr(record, name) for name in ApiKey.model_fields if name != "scopes"}
    scopes = None if record.scopes is None else [scope for scope in Scope if scope in record.scopes]
    return shown | {"scopes": scopes}
