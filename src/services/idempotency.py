"""Requests that are carried out once, however often they are sent.

The key is remembered in the transaction of the request's effect: either both are there or neither is. While that
transaction runs, an advisory lock of its own tells others with the same key that it does.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from pydantic import BaseModel

from core.errors import IdempotencyKeyReused, RequestInProgress
from db.postgres.session import Session
from db.postgres.statements import Statement

KEPT_HOURS: Final = 24
DELETE_BATCH: Final = 1_000

_LOCK: Final = Statement("SELECT pg_try_advisory_xact_lock(:lock)")
_RECALL: Final = Statement(f"""
    SELECT fingerprint, result FROM idempotency_keys
    WHERE principal = :principal AND key = :key AND created_at > now() - interval '{KEPT_HOURS} hours'
""")
_REMEMBER: Final = Statement("""
    INSERT INTO idempotency_keys (principal, key, fingerprint, result)
    VALUES (:principal, :key, :fingerprint, :result)
    ON CONFLICT (principal, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, result = excluded.result, created_at = excluded.created_at
""")
DELETE_EXPIRED: Final = Statement(f"""
    WITH forgotten AS (
        DELETE FROM idempotency_keys WHERE (principal, key) IN (
            SELECT principal, key FROM idempotency_keys
            WHERE created_at <= now() - interval '{KEPT_HOURS} hours'
            ORDER BY created_at LIMIT {DELETE_BATCH} FOR UPDATE SKIP LOCKED
        )
        RETURNING key
    )
    SELECT count(*) FROM forgotten
""")


class Replayed(Exception):
    """The request was carried out before; `result` is what came of it then, as JSON."""

    def __init__(self, result: str) -> None:
        super().__init__("already done")
        self.result = result


@dataclass(frozen=True)
class IdempotentRequest:
    """A request under a key: whose key it is, and what the request asks for."""

    principal: str
    key: str
    fingerprint: str

    @classmethod
    def under(cls, key: str | None, principal: str, operation: str, body: BaseModel) -> "IdempotentRequest | None":
        """Return the request that does `operation` with `body`; None if its sender gave no key."""
        if key is None:
            return None
        return cls(principal, key, sha256(f"{operation}\0{body.model_dump_json()}".encode()).hexdigest())

    async def begin(self, connection: Session) -> None:
        """Claim the key until the transaction ends.

        Raises Replayed, RequestInProgress, IdempotencyKeyReused.
        """
        digest = sha256(f"{self.principal}\0{self.key}".encode()).digest()
        if not await connection.value(_LOCK, lock=int.from_bytes(digest[:8], signed=True)):
            raise RequestInProgress
        earlier = await connection.one_or_none(_RECALL, principal=self.principal, key=self.key)
        if earlier is not None:
            if earlier.fingerprint != self.fingerprint:
                raise IdempotencyKeyReused
            raise Replayed(earlier.result)

    async def end(self, connection: Session, result: BaseModel) -> None:
        """Remember what came of the request."""
        await connection.run(
            _REMEMBER,
            principal=self.principal,
            key=self.key,
            fingerprint=self.fingerprint,
            result=result.model_dump_json(),
        )
