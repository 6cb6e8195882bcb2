"""Random tokens, and the single-use tokens that the database knows by their hash.

A hash needs no salt and no key stretching: 256 random bits cannot be guessed.
"""

import json
import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy import Interval, Text, bindparam, cast, delete, func, insert, literal_column, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from db.postgres.session import Session
from db.postgres.statements import Row, Statement, constant, given
from models import SignInToken, SignInTokenPurpose, table_of

_BYTES: Final = 32
_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]{43}")

tokens: Final = table_of(SignInToken)
_HASH: Final = given(tokens.c.token_hash)
_LASTS: Final = bindparam("lasts", type_=Interval)
_CREATE: Final = Statement(
    insert(tokens).values(
        token_hash=_HASH,
        purpose=given(tokens.c.purpose),
        person_id=given(tokens.c.person_id),
        details=cast(bindparam("details_json", type_=Text), JSONB),
        expires_at=func.now() + _LASTS,
    )
)
_IS_LIVE: Final = or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > func.now())
_FIND: Final = Statement(
    select(tokens.c.person_id, tokens.c.details).where(
        tokens.c.token_hash == _HASH, tokens.c.purpose == given(tokens.c.purpose), _IS_LIVE
    )
)
# A concurrent use of the same token waits for the row, and finds it gone.
_USE: Final = Statement(
    delete(tokens)
    .where(tokens.c.token_hash == _HASH, tokens.c.purpose == given(tokens.c.purpose), _IS_LIVE)
    .returning(tokens.c.person_id, tokens.c.details)
)
_FORGET_SET_UP: Final = Statement(delete(tokens).where(tokens.c.purpose == constant(SignInTokenPurpose.SET_UP)))
_FORGET_PERSON: Final = Statement(delete(tokens).where(tokens.c.person_id == given(tokens.c.person_id)))
PURGE_BATCH: Final = 1000
_expired: Final = (
    select(tokens.c.token_hash).where(tokens.c.expires_at < func.now()).limit(literal_column(str(PURGE_BATCH)))
)
_purged: Final = delete(tokens).where(tokens.c.token_hash.in_(_expired)).returning(tokens.c.token_hash).cte("purged")
PURGE: Final = Statement(select(func.count()).select_from(_purged))
"""Deletes expired tokens, and returns their number."""


def new_token() -> str:
    """Return 256 random bits in URL-safe characters."""
    return secrets.token_urlsafe(_BYTES)


def hash_of(token: str) -> bytes:
    """Return the SHA-256 by which the database knows a token."""
    return sha256(token.encode()).digest()


def is_token(text: str) -> bool:
    """Return whether a text has the form of a token, so that a look-up is worth its query."""
    return _PATTERN.fullmatch(text) is not None


async def create(
    connection: Session,
    purpose: SignInTokenPurpose,
    *,
    person_id: str | None = None,
    details: Mapping[str, str] | None = None,
    lasts: timedelta | None = None,
) -> str:
    """Store a new token and return it; it ends after `lasts`, or never for None."""
    token = new_token()
    await store(connection, token, purpose, person_id=person_id, details=details, lasts=lasts)
    return token


async def store(
    connection: Session,
    token: str,
    purpose: SignInTokenPurpose,
    *,
    person_id: str | None = None,
    details: Mapping[str, str] | None = None,
    lasts: timedelta | None = None,
) -> None:
    """Store a token that was made before."""
    values = {"token_hash": hash_of(token), "purpose": purpose, "person_id": person_id, "lasts": lasts}
    await connection.run(_CREATE, details_json=json.dumps(dict(details or {})), **values)


async def find(connection: Session, token: str, purpose: SignInTokenPurpose) -> Row | None:
    """Return the `person_id` and the `details` of a token that is still valid; None for any other."""
    if not is_token(token):
        return None
    return await connection.one_or_none(_FIND, token_hash=hash_of(token), purpose=purpose)


async def use(connection: Session, token: str, purpose: SignInTokenPurpose) -> Row | None:
    """End a token, and return its `person_id` and `details`; None for one that is unknown, expired or used."""
    if not is_token(token):
        return None
    return await connection.one_or_none(_USE, token_hash=hash_of(token), purpose=purpose)


def details_of(row: Row) -> dict[str, str]:
    """Return the details of a token that was found or used."""
    details: dict[str, str] = json.loads(row.details)
    return details


async def forget_set_up(connection: Session) -> None:
    """End every token of the set-up."""
    await connection.run(_FORGET_SET_UP)


async def forget_person(connection: Session, person_id: str) -> None:
    """End every token of a person."""
    await connection.run(_FORGET_PERSON, person_id=person_id)
