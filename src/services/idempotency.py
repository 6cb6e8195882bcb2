"""Requests that are carried out once, however often a client sends them.

The key is stored in the transaction of the request's effect, so that either both exist or neither does. While that
transaction runs, an advisory lock shows other processes that the request is in progress.

A request is recognized by the JSON that was sent, and its result is stored as the bytes that were sent. Neither depends
on the models of a release, so that a retry can be answered by a later one.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import BigInteger, Interval, bindparam, cast, delete, func, literal_column, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from core.errors import IdempotencyKeyReused, RequestInProgress
from db.postgres.session import Session
from db.postgres.statements import Statement, constant, given
from models import IdempotencyKey, table_of
from services import idempotency_compatibility as release_before
from services.write_result import WriteResult

KEPT_HOURS: Final = 24
DELETE_BATCH: Final = 1_000

_keys: Final = table_of(IdempotencyKey)
_expired_before: Final = func.now() - cast(constant(f"{KEPT_HOURS} hours"), Interval)
_LOCK: Final = Statement(select(func.pg_try_advisory_xact_lock(bindparam("lock", type_=BigInteger))))
_RECALL: Final = Statement(
    select(
        _keys.c.request_hash, _keys.c.body, _keys.c.ticket_id, _keys.c.version, _keys.c.fingerprint, _keys.c.result
    ).where(
        _keys.c.principal == given(_keys.c.principal),
        _keys.c.key == given(_keys.c.key),
        _keys.c.created_at > _expired_before,
    )
)


def _remember() -> Statement:
    stored = ("request_hash", "body", "ticket_id", "version", "fingerprint", "result")
    new = insert(_keys).values({name: given(_keys.c[name]) for name in ("principal", "key", *stored)})
    replaced = {name: new.excluded[name] for name in (*stored, "created_at")}
    return Statement(new.on_conflict_do_update(index_elements=[_keys.c.principal, _keys.c.key], set_=replaced))


def _delete_expired() -> Statement:
    """Return the statement that deletes a batch of expired keys and returns how many; several may run at once."""
    primary_key = tuple_(_keys.c.principal, _keys.c.key)
    batch = (
        select(_keys.c.principal, _keys.c.key)
        .where(_keys.c.created_at <= _expired_before)
        .order_by(_keys.c.created_at)
        .limit(literal_column(str(DELETE_BATCH)))
        .with_for_update(skip_locked=True)
    )
    deleted = delete(_keys).where(primary_key.in_(batch)).returning(_keys.c.key).cte("deleted")
    return Statement(select(func.count()).select_from(deleted))


_REMEMBER: Final = _remember()
DELETE_EXPIRED: Final = _delete_expired()


class Replayed(Exception):
    """The request was carried out before; `result` is its result then."""

    def __init__(self, result: WriteResult) -> None:
        super().__init__("the request was carried out before")
        self.result = result


@dataclass(frozen=True)
class RetryKey:
    """The idempotency key that a client sent, and the JSON that it sent with it."""

    value: str
    body: bytes


@dataclass(frozen=True)
class IdempotentRequest:
    """A request under a key: the principal whose key it is, the operation, and hashes that identify the request.

    `request_hash` is the hash of what was sent, `fingerprint` that of the release before. `result_of` makes the result
    that is stored from what the operation returns.
    """

    principal: str
    key: str
    operation: str
    request_hash: str
    fingerprint: str
    result_of: Callable[[Any], WriteResult]

    @classmethod
    def under(
        cls,
        key: RetryKey | None,
        principal: str,
        operation: str,
        body: BaseModel,
        result_of: Callable[[Any], WriteResult],
    ) -> "IdempotentRequest | None":
        """Return the request that does `operation` with `body`, the validated form of what was sent; None without key.

        The order of members and white space do not distinguish requests.
        """
        if key is None:
            return None
        sent = json.dumps(json.loads(key.body), sort_keys=True, separators=(",", ":"))
        request_hash = sha256(f"{operation}\0{sent}".encode()).hexdigest()
        fingerprint = release_before.fingerprint(operation, body)
        return cls(principal, key.value, operation, request_hash, fingerprint, result_of)

    async def begin(self, connection: Session) -> None:
        """Claim the key until the transaction ends.

        Raises Replayed, RequestInProgress, IdempotencyKeyReused.
        """
        digest = sha256(f"{self.principal}\0{self.key}".encode()).digest()
        if not await connection.value(_LOCK, lock=int.from_bytes(digest[:8], signed=True)):
            raise RequestInProgress
        earlier = await connection.one_or_none(_RECALL, principal=self.principal, key=self.key)
        if earlier is None:
            return
        is_of_release_before = earlier.request_hash is None
        is_same = (
            earlier.fingerprint == self.fingerprint
            if is_of_release_before
            else earlier.request_hash == self.request_hash
        )
        if not is_same:
            raise IdempotencyKeyReused
        raise Replayed(
            release_before.from_stored_form(earlier.result)
            if is_of_release_before
            else WriteResult(earlier.body, earlier.ticket_id, earlier.version)
        )

    async def end(self, connection: Session, outcome: object) -> None:
        """Store the result of the request, made from what its operation returned."""
        result = self.result_of(outcome)
        await connection.run(
            _REMEMBER,
            principal=self.principal,
            key=self.key,
            request_hash=self.request_hash,
            body=result.body,
            ticket_id=result.ticket_id,
            version=result.version,
            fingerprint=self.fingerprint,
            result=release_before.stored_form(self.operation, result),
        )


class RequestsInProgress:
    """The requests under a key that this process carries out now, so that a copy is refused before it waits."""

    def __init__(self) -> None:
        self._keys: set[tuple[str, str]] = set()

    @contextmanager
    def only(self, request: IdempotentRequest | None) -> Iterator[None]:
        """Run the block as the only copy of the request in this process. Raises RequestInProgress."""
        if request is None:
            yield
            return
        key = request.principal, request.key
        if key in self._keys:
            raise RequestInProgress
        self._keys.add(key)
        try:
            yield
        finally:
            self._keys.discard(key)
