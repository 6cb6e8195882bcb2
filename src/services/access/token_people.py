"""The people that tokens of an OIDC issuer name: found or made by the subject of a token, and kept in memory.

A token whose person is in memory and has the token's role makes no query.
"""

import asyncio
import time
from collections import OrderedDict
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Text, bindparam, exists, literal_column, select, update

from core import deadline
from core.errors import DeadlineExceeded, Forbidden, Unauthenticated, Unavailable
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row, Statement, constant, given
from models import IdempotencyKey, PrincipalKind, Role, RoleSource, table_of
from services.access.email_addresses import email_key
from services.access.principal import Principal
from services.directory import statements as sql
from services.directory.lock import LOCK
from services.directory.statements import principals

# As for API keys: a deactivated person must be refused after 10 s. A person is loaded again after 5 s; while one
# request loads them, the other requests use the old row, but never for longer than 9 s.
FRESH_FOR_S: Final = 5
TRUSTED_FOR_S: Final = 9
MAX_PEOPLE: Final = 10_000

_BY_SUBJECT: Final = Statement(select(*principals.c).where(principals.c.subject == given(principals.c.subject)))
_WITHOUT_SUBJECT: Final = Statement(
    select(*principals.c).where(
        principals.c.kind == constant(PrincipalKind.PERSON),
        principals.c.subject.is_(None),
        email_key(principals.c.email) == email_key(given(principals.c.email)),
    )
)


def _take_over_retries() -> Statement:
    """Return the statement that hands on the idempotency keys of a subject, which the release before this one wrote."""
    keys = table_of(IdempotencyKey)
    former, person = bindparam("former", type_=Text), bindparam("person", type_=Text)
    own = keys.alias("own")
    is_taken = exists(select(literal_column("1")).where(own.c.principal == person, own.c.key == keys.c.key))
    return Statement(update(keys).values(principal=person).where(keys.c.principal == former, ~is_taken))


_TAKE_OVER_RETRIES: Final = _take_over_retries()


@dataclass(frozen=True)
class TokenIdentity:
    """What a verified token says: `role` if it names one, `email` if the issuer has verified it."""

    subject: str
    role: Role | None
    email: str | None
    name: str


@dataclass(slots=True)
class _Known:
    """A person as the database had them at `loaded_at`, a time of the monotonic clock."""

    row: Row
    loaded_at: float

    def is_usable(self, *, is_loading: bool) -> bool:
        age_s = time.monotonic() - self.loaded_at
        return age_s < FRESH_FOR_S or (is_loading and age_s < TRUSTED_FOR_S)


class TokenPeople:
    """Finds the person of a token, makes a new one, and stores the role that a token names."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._loading: dict[TokenIdentity, asyncio.Task[Row]] = {}

    async def principal_of(self, identity: TokenIdentity) -> Principal:
        """Return the principal of a token.

        A role in the token decides. Without one, a role that an admin set stays, and any other person is a requester
        by the verified address. Raises Unauthenticated for a deactivated person, Forbidden, DatabaseUnavailable,
        DeadlineExceeded.
        """
        person = await self._person(identity)
        if not person.active:
            raise Unauthenticated("the person is deactivated", are_refused=True, is_guess=False)
        role = _role(identity, person)
        email = None
        if role is Role.REQUESTER:
            email = person.email if person.role_source == RoleSource.ADMIN else identity.email
        return Principal(person.id, role, email, name=person.name)

    async def _person(self, identity: TokenIdentity) -> Row:
        known = self._known.get(identity.subject)
        if known is None or not known.is_usable(is_loading=identity in self._loading):
            try:
                return await self._shared_load(identity)
            except Unavailable:
                # As with API keys: while PostgreSQL is unavailable a monitor keeps access, to observe the outage.
                if known is None or identity.role is not Role.MONITOR:
                    raise
                return known.row
        if not _is_stored(identity, known.row):
            return await self._shared_load(identity)
        return known.row

    async def _shared_load(self, identity: TokenIdentity) -> Row:
        """Load a person; requests with equal tokens share a query."""
        task = self._loading.get(identity)
        if task is None:
            # An empty context: the query serves several requests and must not end at the deadline of one of them.
            task = self._loading[identity] = asyncio.create_task(self._load(identity), context=Context())
            task.add_done_callback(lambda done: self._end_load(identity, done))
        try:
            async with asyncio.timeout_at(deadline.current()):
                return await asyncio.shield(task)
        except TimeoutError:
            raise DeadlineExceeded("the request waited for the person of its token") from None

    def _end_load(self, identity: TokenIdentity, task: asyncio.Task[Row]) -> None:
        del self._loading[identity]
        if not task.cancelled():
            task.exception()  # the requests may be gone, and asyncio would log the error as not retrieved

    async def _load(self, identity: TokenIdentity) -> Row:
        loaded_at = time.monotonic()
        async with self._database.control() as connection:
            row = await connection.one_or_none(_BY_SUBJECT, subject=identity.subject)
        if row is None or not _is_stored(identity, row):
            row = await self._store(identity)
        self._known.pop(identity.subject, None)
        self._known[identity.subject] = _Known(row, loaded_at)
        if len(self._known) > MAX_PEOPLE:
            self._known.popitem(last=False)
        return row

    async def _store(self, identity: TokenIdentity) -> Row:
        """Store the subject and the role of a token with its person, who is made if there is none."""
        async with self._database.transaction() as connection:
            await connection.run(LOCK)
            row = await connection.one_or_none(_BY_SUBJECT, subject=identity.subject)
            if row is None and identity.email is not None:
                row = await connection.one_or_none(_WITHOUT_SUBJECT, email=identity.email)
            if row is None:
                row = await _new_person(connection, identity)
            elif not row.active:
                return row
            elif row.subject is None or not _is_stored(identity, row):
                row = await connection.one(sql.SAVE_PERSON, **(dict(row) | _changes(identity, row)))
            former = f"oidc:{identity.subject}"
            await connection.run(_TAKE_OVER_RETRIES, former=former, person=row.id)
        return row


def _role(identity: TokenIdentity, person: Row | None) -> Role:
    """Return the role of the caller. Raises Forbidden."""
    if identity.role is not None:
        return identity.role
    if person is not None and person.role_source == RoleSource.ADMIN:
        return Role(person.role)
    if identity.email is not None:
        return Role.REQUESTER
    raise Forbidden("the token has neither a role nor a verified email address")


def _is_stored(identity: TokenIdentity, row: Row) -> bool:
    """Return whether nothing of the token must be stored. Raises Forbidden."""
    return not row.active or bool(row.role == _role(identity, row))


def _changes(identity: TokenIdentity, row: Row) -> dict[str, Any]:
    changes: dict[str, Any] = {"subject": identity.subject}
    role = _role(identity, row)
    return changes if role == row.role else changes | {"role": role, "role_source": RoleSource.TOKEN}


async def _new_person(connection: Session, identity: TokenIdentity) -> Row:
    """Insert the person of a new subject. Without the address if it belongs to another person."""
    role, email = _role(identity, None), identity.email
    if email is not None and await connection.value(sql.EMAIL_IS_TAKEN, email=email, id=""):
        email = None
    values = {"name": identity.name, "email": email, "role": role, "role_source": RoleSource.TOKEN}
    return await connection.one(sql.CREATE_PERSON, zone="UTC", language="en", subject=identity.subject, **values)
