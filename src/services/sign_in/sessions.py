"""The sessions of people in browsers: rows, which are listed and ended; nothing is signed on the client."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row
from models import Role, RoleSource, SignInMethod
from models.sign_in import ADDRESS_MAX_LENGTH, USER_AGENT_MAX_LENGTH
from services.access.principal import Principal
from services.sign_in import session_statements as sql
from services.sign_in import tokens


@dataclass(frozen=True, slots=True)
class Browser:
    """Where a request comes from: the client address, and the header User-Agent."""

    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session that authenticates requests, with its person as the principal."""

    id: int
    token_hash: bytes
    method: SignInMethod
    created_at: datetime
    expires_at: datetime
    principal: Principal


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A session as it is listed."""

    id: int
    person_id: str
    name: str
    email: str | None
    method: SignInMethod
    user_agent: str
    address: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


class Sessions:
    """Reads and ends sessions. Every method raises DatabaseUnavailable and DeadlineExceeded."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_all(self, token_hashes: Sequence[bytes]) -> dict[bytes, LiveSession]:
        """Return live sessions by the hashes of their tokens, and store every five minutes that they are used."""
        async with self._database.control() as connection:
            rows = await connection.rows(sql.FIND_ALL, hashes=token_hashes)
            for row in rows:
                if row.is_to_be_touched:
                    await connection.run(sql.TOUCH, id=row.id)
        return {row.token_hash: _live(row) for row in rows}

    async def of_person(self, person_id: str) -> Sequence[ListedSession]:
        """Return the live sessions of a person, the latest use first."""
        async with self._database.reading() as connection:
            return [_listed(row) for row in await connection.rows(sql.OF_PERSON, person_id=person_id)]

    async def all(self) -> Sequence[ListedSession]:
        """Return the live sessions of all people, the latest use first."""
        async with self._database.reading() as connection:
            return [_listed(row) for row in await connection.rows(sql.ALL)]

    async def end(self, session_id: int, person_id: str | None = None) -> bytes | None:
        """End a session, which must be of the person if one is given; return the hash of its token.

        Returns None if there is no such session. Raises OutcomeUnknown.
        """
        async with self._database.transaction() as connection:
            row = await connection.one_or_none(sql.END, id=session_id, person_id=person_id)
        return None if row is None else bytes(row.token_hash)

    async def end_all(self, person_id: str, *, but: int | None = None) -> Sequence[bytes]:
        """End the sessions of a person but for one; return the hashes of their tokens. Raises OutcomeUnknown."""
        async with self._database.transaction() as connection:
            return await end_all(connection, person_id, but=but)


async def begin(
    connection: Session,
    person_id: str,
    method: SignInMethod,
    browser: Browser,
    *,
    former_token: str | None,
    verified_email: str | None = None,
) -> str:
    """Begin a session in a transaction, and return its token. The session that the browser had before ends."""
    token = tokens.new_token()
    if former_token is not None:
        await connection.run(sql.END_BY_HASH, token_hash=tokens.hash_of(former_token))
    await connection.run(
        sql.CREATE,
        token_hash=tokens.hash_of(token),
        person_id=person_id,
        method=method,
        email=verified_email,
        user_agent=_plain(browser.user_agent)[:USER_AGENT_MAX_LENGTH],
        address=_plain(browser.address)[:ADDRESS_MAX_LENGTH],
    )
    return token


async def end_all(connection: Session, person_id: str, *, but: int | None = None) -> Sequence[bytes]:
    """End the sessions of a person, but for one, in a transaction; return the hashes of their tokens."""
    return [bytes(row.token_hash) for row in await connection.rows(sql.END_OF_PERSON, person_id=person_id, id=but)]


def _plain(text: str) -> str:
    """Return a text of a client without characters that a terminal or PostgreSQL does not take."""
    return "".join(char for char in text if char.isprintable())


def _live(row: Row) -> LiveSession:
    role, email = Role(row.role), None
    if role is Role.REQUESTER:
        # As with tokens: an address that an admin set is the person's; otherwise the issuer decides.
        email = row.email if row.role_source == RoleSource.ADMIN else row.verified_email or row.email
    principal = Principal(row.person_id, role, email, name=row.name)
    method = SignInMethod(row.method)
    return LiveSession(row.id, bytes(row.token_hash), method, row.created_at, row.expires_at, principal)


def _listed(row: Row) -> ListedSession:
    return ListedSession(**{**row, "method": SignInMethod(row.method)})
