"""The table of API keys: create, list, find and revoke."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import (
    ARRAY,
    DateTime,
    Text,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from db.postgres.database import Database
from db.postgres.statements import Row, Statement, given
from models import ApiKey, Role, table_of
from services.access.api_key_format import Key, new_key
from services.access.email_addresses import email_key
from services.access.principal import Principal

# Two, so that a key can be replaced without an interruption; a third would be a forgotten one.
MAX_LIVE_KEYS: Final = 2

_keys: Final = table_of(ApiKey)
_CREATED_WITH: Final = ("id", "name", "role", "email", "secret_hash", "expires_at")
_is_live: Final = and_(_keys.c.revoked_at.is_(None), or_(_keys.c.expires_at.is_(None), _keys.c.expires_at > func.now()))
_has_same_email: Final = email_key(_keys.c.email).is_not_distinct_from(email_key(given(_keys.c.email)))
_LOCK: Final = Statement(
    select(func.pg_advisory_xact_lock(func.hashtextextended(given(_keys.c.name), literal_column("7415530149"))))
)
_SELECT_BY_NAME: Final = Statement(
    select(
        _is_live.label("is_live"),
        and_(_keys.c.role == given(_keys.c.role), _has_same_email).label("is_same_principal"),
    ).where(_keys.c.name == given(_keys.c.name))
)
_CREATE: Final = Statement(
    insert(_keys).values({name: given(_keys.c[name]) for name in _CREATED_WITH}).returning(*_keys.c)
)
_LIST: Final = Statement(select(*_keys.c).order_by(_keys.c.name, _keys.c.created_at))
_IDS: Final = bindparam("ids", type_=ARRAY(Text))
_FIND_ALL: Final = Statement(select(*_keys.c).where(_keys.c.id == func.any(_IDS)))
_ANY_EXIST: Final = Statement(select(exists(select(literal_column("1")).select_from(_keys))))
_REVOKE: Final = Statement(
    update(_keys)
    .values(revoked_at=func.coalesce(_keys.c.revoked_at, func.now()))
    .where(_keys.c.id == given(_keys.c.id))
    .returning(*_keys.c)
)


def _record_uses() -> Statement:
    times = bindparam("times", type_=ARRAY(DateTime(timezone=True)))
    uses = func.unnest(_IDS, times).table_valued("id", "at", name="uses").render_derived()
    latest = func.greatest(_keys.c.last_used_at, uses.c.at)
    return Statement(update(_keys).values(last_used_at=latest).where(_keys.c.id == uses.c.id))


_RECORD_USES: Final = _record_uses()


class KeyNotCreated(Exception):
    """The requested key cannot be created; the message gives the reason."""


@dataclass(frozen=True)
class ApiKeyRecord:
    """A row of the table of keys."""

    id: str
    name: str
    role: Role
    email: str | None
    secret_hash: bytes
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @property
    def principal(self) -> Principal:
        """The principal that the key authenticates; every key of one name is the same principal."""
        return Principal(f"key:{self.name}", self.role, self.email)

    def is_live(self, now: datetime) -> bool:
        """Return whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class ApiKeys:
    """Reads and writes the table of keys. Every method raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, name: str, role: Role, email: str | None = None, expires_at: datetime | None = None
    ) -> tuple[Key, ApiKeyRecord]:
        """Create a key and return it with its record; the secret itself is not stored. Raises KeyNotCreated."""
        key = new_key()
        values = {"id": key.id, "name": name, "role": role, "email": email, "expires_at": expires_at}
        async with self._database.transaction() as connection:
            await connection.run(_LOCK, name=name)
            same_name = await connection.rows(_SELECT_BY_NAME, name=name, role=role, email=email)
            if sum(row.is_live for row in same_name) >= MAX_LIVE_KEYS:
                raise KeyNotCreated(f"{name} has {MAX_LIVE_KEYS} live keys; revoke one of them first")
            # Revoked keys count too: the history identifies a principal by the name of its key.
            if not all(row.is_same_principal for row in same_name):
                raise KeyNotCreated(f"{name} has or had a key with another role or email address; choose another name")
            row = await connection.one(_CREATE, secret_hash=key.secret_hash, **values)
        return key, _record(row)

    async def list(self) -> Sequence[ApiKeyRecord]:
        """Return every key ever created, by name, then the oldest first."""
        async with self._database.reading() as connection:
            return [_record(row) for row in await connection.rows(_LIST)]

    async def find(self, key_id: str) -> ApiKeyRecord | None:
        """Return the record of a key; None if there is none."""
        return (await self.find_all([key_id])).get(key_id)

    async def find_all(self, key_ids: Sequence[str]) -> dict[str, ApiKeyRecord]:
        """Return the records of keys by id, without the ids that do not exist."""
        async with self._database.control() as connection:
            return {row.id: _record(row) for row in await connection.rows(_FIND_ALL, ids=key_ids)}

    async def any_exist(self) -> bool:
        """Return whether any key was ever created: revoking the last key must not make the service unprotected."""
        async with self._database.control() as connection:
            return bool(await connection.value(_ANY_EXIST))

    async def revoke(self, key_id: str) -> ApiKeyRecord | None:
        """Revoke a key and return its record; None if there is no such key."""
        async with self._database.transaction() as connection:
            row = await connection.one_or_none(_REVOKE, id=key_id)
        return None if row is None else _record(row)

    async def record_uses(self, times: dict[str, datetime]) -> None:
        """Store when keys were last used, by id. Safe to repeat: a later time is never replaced by an earlier one."""
        async with self._database.control() as connection:
            await connection.run(_RECORD_USES, ids=list(times), times=list(times.values()))


def _record(row: Row) -> ApiKeyRecord:
    return ApiKeyRecord(**{**row, "role": Role(row.role)})
