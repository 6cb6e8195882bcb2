"""The API keys: made, listed and revoked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from db.postgres.database import Database
from db.postgres.statements import Row, Statement
from models import Role
from services.access.api_key_format import Key, new_key
from services.access.principal import Principal

# A second one, so that a key can be replaced without a gap; a third would be one that somebody forgot.
MAX_LIVE_KEYS: Final = 2

_COLUMNS: Final = "id, name, role, email, secret_hash, created_at, expires_at, revoked_at, last_used_at"
_LOCK: Final = Statement("SELECT pg_advisory_xact_lock(hashtextextended(:name, 7415530149))")
_OF_NAME: Final = Statement("""
    SELECT role, email, revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) AS is_live FROM api_keys
    WHERE name = :name
""")
_CREATE: Final = Statement(f"""
    INSERT INTO api_keys (id, name, role, email, secret_hash, expires_at)
    VALUES (:id, :name, :role, :email, :secret_hash, :expires_at) RETURNING {_COLUMNS}
""")
_LIST: Final = Statement(f"SELECT {_COLUMNS} FROM api_keys ORDER BY name, created_at")
_FIND: Final = Statement(f"SELECT {_COLUMNS} FROM api_keys WHERE id = :id")
_ANY: Final = Statement("SELECT EXISTS (SELECT FROM api_keys)")
_REVOKE: Final = Statement(f"""
    UPDATE api_keys SET revoked_at = COALESCE(revoked_at, now()) WHERE id = :id RETURNING {_COLUMNS}
""")
_USED: Final = Statement("""
    UPDATE api_keys SET last_used_at = GREATEST(last_used_at, used.at)
    FROM unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) AS used (id, at) WHERE api_keys.id = used.id
""")


class KeyRefused(Exception):
    """The key that was asked for can not be made."""


@dataclass(frozen=True)
class ApiKeyRecord:
    """What is stored of a key."""

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
        """Whom the key lets in: a new key of the same name is the same principal."""
        return Principal(f"key:{self.name}", self.role, self.email)

    def is_live(self, now: datetime) -> bool:
        """Return whether the key lets anybody in."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class ApiKeys:
    """The table of keys. Every method raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, name: str, role: Role, email: str | None = None, expires_at: datetime | None = None
    ) -> tuple[Key, ApiKeyRecord]:
        """Make a key; its secret is in nobody's hands but the caller's. Raises KeyRefused."""
        key = new_key()
        wanted = {"id": key.id, "name": name, "role": role, "email": email, "expires_at": expires_at}
        async with self._database.transaction() as connection:
            await connection.run(_LOCK, name=name)
            of_name = await connection.rows(_OF_NAME, name=name)
            if sum(row.is_live for row in of_name) >= MAX_LIVE_KEYS:
                raise KeyRefused(f"{name} has {MAX_LIVE_KEYS} live keys; revoke one of them first")
            # Also of those that were revoked: the history names whoever has a key by its name.
            if any((row.role, row.email) != (role, email) for row in of_name):
                raise KeyRefused(f"{name} has or had a key of another role or address; choose another name")
            row = await connection.one(_CREATE, secret_hash=key.secret_hash, **wanted)
        return key, _record(row)

    async def list(self) -> Sequence[ApiKeyRecord]:
        """Return every key that was ever made, by name and age."""
        async with self._database.reading() as connection:
            return [_record(row) for row in await connection.rows(_LIST)]

    async def find(self, key_id: str) -> ApiKeyRecord | None:
        """Return what is stored of a key."""
        async with self._database.reading() as connection:
            row = await connection.one_or_none(_FIND, id=key_id)
        return None if row is None else _record(row)

    async def exist(self) -> bool:
        """Return whether any key was ever made: revoking the last one must not open the doors."""
        async with self._database.reading() as connection:
            return bool(await connection.value(_ANY))

    async def revoke(self, key_id: str) -> ApiKeyRecord | None:
        """Let a key let nobody in any more, and return it; None if there is none."""
        async with self._database.transaction() as connection:
            row = await connection.one_or_none(_REVOKE, id=key_id)
        return None if row is None else _record(row)

    async def used(self, times: dict[str, datetime]) -> None:
        """Record when keys were last used."""
        async with self._database.transaction() as connection:
            await connection.run(_USED, ids=list(times), times=list(times.values()))


def _record(row: Row) -> ApiKeyRecord:
    return ApiKeyRecord(**{**row, "role": Role(row.role)})
