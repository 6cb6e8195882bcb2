"""The table of API keys: create, list, find and revoke."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from core.errors import Fault, InvalidReference, KeyNotCreated, LastAdmin
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row
from models import Role, Scope
from services.access import key_statements as sql
from services.access.api_key_format import Key, new_key
from services.access.principal import Principal
from services.directory.lock import LOCK as LOCK_DIRECTORY

# Two, so that a key can be replaced without an interruption; a third would be a forgotten one.
MAX_LIVE_KEYS: Final = 2

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class ApiKeyRecord:
    """An API key with the name, the role and the address of its principal."""

    id: str
    principal_id: str
    name: str
    role: Role
    email: str | None
    scopes: frozenset[Scope] | None
    secret_hash: bytes
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    deactivated_at: datetime | None

    @property
    def principal(self) -> Principal:
        """The principal that the key authenticates; every key of one name is the same principal."""
        email = self.email if self.role is Role.REQUESTER else None
        return Principal(self.principal_id, self.role, email, self.scopes, self.name)

    @property
    def ends_at(self) -> datetime | None:
        """The time from which the key is refused; None for never, and a time long ago if it is refused already."""
        is_refused = self.revoked_at is not None or self.deactivated_at is not None
        return _LONG_AGO if is_refused else self.expires_at


class ApiKeys:
    """Reads and writes the table of keys. Every method raises DatabaseUnavailable.

    The keys of one name belong to one service account, whose role and address never change. A key of a person acts as
    that person, with the role that the person has.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        name: str,
        role: Role,
        email: str | None = None,
        expires_at: datetime | None = None,
        *,
        scopes: Set[Scope] | None = None,
    ) -> tuple[Key, ApiKeyRecord]:
        """Create a key of a service account, and the account with its first key; return the key and its record.

        The secret itself is not stored. Raises KeyNotCreated.
        """
        account: dict[str, Any] = {"id": f"key:{name}", "name": name, "role": role, "email": email}
        async with self._database.transaction() as connection:
            await connection.run(sql.LOCK, name=name)
            await _ensure_few_live_keys(connection, account["id"], name)
            await connection.run(sql.CREATE_SERVICE_ACCOUNT, **account)
            found = await connection.one(sql.SERVICE_ACCOUNT, **account)
            # Revoked keys count too: the history identifies a principal by the name of its key.
            if not found.is_same:
                raise KeyNotCreated(f"{name} has or had a key with another role or email address; choose another name")
            if not found.active:
                raise KeyNotCreated(f"{name} is deactivated")
            former = {"name": name, "role": _former_role(role), "email": email}
            return await _create(connection, account["id"], scopes, expires_at, former)

    async def create_for_person(
        self, person_id: str, expires_at: datetime | None = None, *, scopes: Set[Scope] | None = None
    ) -> tuple[Key, ApiKeyRecord]:
        """Create a key that acts as a person; return it and its record. Raises InvalidReference, KeyNotCreated."""
        async with self._database.transaction() as connection:
            await connection.run(sql.LOCK, name=person_id)
            person = await connection.one_or_none(sql.ACTIVE_PERSON, id=person_id)
            if person is None or (person.role == Role.REQUESTER and person.email is None):
                raise InvalidReference(Fault("must be the id of an active person", "body", "principal_id"))
            await _ensure_few_live_keys(connection, person_id, person_id)
            email = person.email if person.role == Role.REQUESTER else None
            former = {"name": person_id, "role": _former_role(Role(person.role)), "email": email}
            return await _create(connection, person_id, scopes, expires_at, former)

    async def list(self) -> Sequence[ApiKeyRecord]:
        """Return every key ever created, by name, then the oldest first."""
        async with self._database.reading() as connection:
            return [_record(row) for row in await connection.rows(sql.LIST)]

    async def page(self, after: tuple[datetime, str] | None, limit: int) -> Sequence[ApiKeyRecord]:
        """Return keys in the order of their creation, from the one after a time and an id."""
        after_at, after_id = after or (None, None)
        async with self._database.reading() as connection:
            rows = await connection.rows(sql.PAGE, after_at=after_at, after_id=after_id, limit=limit)
        return [_record(row) for row in rows]

    async def find(self, key_id: str) -> ApiKeyRecord | None:
        """Return the record of a key; None if there is none."""
        return (await self.find_all([key_id])).get(key_id)

    async def find_all(self, key_ids: Sequence[str]) -> dict[str, ApiKeyRecord]:
        """Return the records of keys by id, without the ids that do not exist."""
        async with self._database.control() as connection:
            return {row.id: _record(row) for row in await connection.rows(sql.FIND_ALL, ids=key_ids)}

    async def are_required(self) -> bool:
        """Return whether any key was ever created, or the set-up was closed.

        Revoking the last key must not make the service unprotected.
        """
        async with self._database.control() as connection:
            return bool(await connection.value(sql.ARE_REQUIRED))

    async def revoke(self, key_id: str, *, keeps_an_admin: bool = False) -> ApiKeyRecord | None:
        """Revoke a key and return its record; None if there is no such key.

        With `keeps_an_admin` raises LastAdmin if no admin could authenticate afterwards.
        """
        async with self._database.transaction() as connection:
            await connection.run(LOCK_DIRECTORY)
            await connection.run(sql.REVOKE, id=key_id)
            row = await connection.one_or_none(sql.FIND_ALL, ids=[key_id])
            is_admin = row is not None and row.role == Role.ADMIN
            if keeps_an_admin and is_admin and not await connection.value(sql.HAS_ADMIN):
                raise LastAdmin
        return None if row is None else _record(row)

    async def record_uses(self, times: dict[str, datetime]) -> None:
        """Store when keys were last used, by id. Safe to repeat: a later time is never replaced by an earlier one."""
        async with self._database.control() as connection:
            await connection.run(sql.RECORD_USES, ids=list(times), times=list(times.values()))


async def _ensure_few_live_keys(connection: Session, principal_id: str, name: str) -> None:
    if await connection.value(sql.COUNT_LIVE, principal_id=principal_id) >= MAX_LIVE_KEYS:
        raise KeyNotCreated(f"{name} has {MAX_LIVE_KEYS} live keys; revoke one of them first")


async def _create(
    connection: Session,
    principal_id: str,
    scopes: Set[Scope] | None,
    expires_at: datetime | None,
    former: dict[str, Any],
) -> tuple[Key, ApiKeyRecord]:
    """Insert a key; `former` holds the columns that the release before this one reads."""
    key = new_key()
    listed = None if scopes is None else [scope for scope in Scope if scope in scopes]
    new = {"id": key.id, "principal_id": principal_id, "scopes": listed, "secret_hash": key.secret_hash}
    await connection.run(sql.CREATE, expires_at=expires_at, **new, **former)
    return key, _record(await connection.one(sql.FIND_ALL, ids=[key.id]))


def _former_role(role: Role) -> Role:
    """Return the role of a key for the release before this one, which has no admins: they may do what agents may."""
    return Role.AGENT if role is Role.ADMIN else role


def _record(row: Row) -> ApiKeyRecord:
    scopes = None if row.scopes is None else frozenset(map(Scope, row.scopes))
    return ApiKeyRecord(**{**row, "role": Role(row.role), "scopes": scopes})
