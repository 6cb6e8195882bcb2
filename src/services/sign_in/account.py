"""The account of a signed-in person: password, second factor, recovery codes and sessions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from core.sign_in_errors import Refusal, SignInRefused
from db.postgres.database import Database
from db.postgres.statements import Row
from models import SignInMethod
from services.sign_in import credential_statements as sql
from services.sign_in import sessions
from services.sign_in.password_hashes import ensure_fit
from services.sign_in.passwords import Passwords, store
from services.sign_in.second_factors import SecondFactors
from services.sign_in.session_cache import SessionCache
from services.sign_in.sessions import Browser, ListedSession, LiveSession, Sessions

# A new session by a link or by the issuer replaces the password in changes: the person may have forgotten it.
RECENT: Final = timedelta(minutes=15)
_WITHOUT_PASSWORD: Final = frozenset({SignInMethod.LINK, SignInMethod.OIDC})


@dataclass(frozen=True, slots=True)
class AccountState:
    """The state of an account. `prepared_secret` is that of a second factor that waits to be confirmed."""

    name: str
    email: str
    is_password_on: bool
    has_password: bool
    needs_password: bool
    has_second_factor: bool
    recovery_codes_left: int
    prepared_secret: str | None
    sessions: Sequence[ListedSession]


class Account:
    """Shows and changes an account. Each change requires the password, or a session that has just begun without one.

    Every method raises DatabaseUnavailable and DeadlineExceeded; those that write also raise OutcomeUnknown, and those
    with a password SignInRefused and Overloaded.
    """

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        second_factors: SecondFactors,
        all_sessions: Sessions,
        cache: SessionCache,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._second_factors = second_factors
        self._sessions = all_sessions
        self._cache = cache

    async def state(self, session: LiveSession) -> AccountState:
        """Return the account of the person of a session."""
        row = await self._person(session)
        listed = await self._sessions.of_person(session.principal.id)
        return AccountState(
            name=row.name,
            email=row.email or "",
            is_password_on=self._passwords.is_on,
            has_password=row.password_hash is not None,
            needs_password=_needs_password(session, row),
            has_second_factor=bool(row.has_totp),
            recovery_codes_left=row.codes_left,
            prepared_secret=await self._second_factors.prepared_secret(row),
            sessions=listed,
        )

    async def change_password(
        self, session: LiveSession, password: str, new_password: str, repeated: str, browser: Browser
    ) -> None:
        """Store a new password, and end the other sessions."""
        self._passwords.ensure_on()
        row = await self._verified(session, password, browser)
        if new_password != repeated:
            raise SignInRefused(Refusal.PASSWORDS_DIFFER)
        ensure_fit(new_password, row.name, row.email or "")
        password_hash = await self._passwords.hashes.make(new_password)
        async with self._database.transaction() as connection:
            await store(connection, row.id, password_hash)
            ended = await sessions.end_all(connection, row.id, but=session.id)
        self._cache.forget(ended)

    async def prepare_second_factor(self, session: LiveSession, password: str, browser: Browser) -> None:
        """Make the secret of a second factor, which is shown until a code confirms it."""
        row = await self._verified(session, password, browser)
        await self._second_factors.prepare(row.id)

    async def confirm_second_factor(self, session: LiveSession, code: str) -> Sequence[str]:
        """Begin to require the second factor; return the recovery codes, which are shown once."""
        return await self._second_factors.confirm(session.principal.id, code)

    async def remove_second_factor(self, session: LiveSession, password: str, browser: Browser) -> None:
        """Require no second factor from now on."""
        row = await self._verified(session, password, browser)
        await self._second_factors.remove(row.id)

    async def renew_recovery_codes(self, session: LiveSession, password: str, browser: Browser) -> Sequence[str]:
        """Replace the recovery codes; return the new ones, which are shown once."""
        row = await self._verified(session, password, browser)
        return await self._second_factors.renew_codes(row.id)

    async def end_session(self, session: LiveSession, session_id: int) -> None:
        """End a session of the person, perhaps this one; one that has ended already is no error."""
        ended = await self._sessions.end(session_id, session.principal.id)
        self._cache.forget([] if ended is None else [ended])

    async def end_other_sessions(self, session: LiveSession) -> None:
        """End every session of the person but this one."""
        self._cache.forget(await self._sessions.end_all(session.principal.id, but=session.id))

    async def _person(self, session: LiveSession) -> Row:
        async with self._database.reading() as connection:
            row = await connection.one_or_none(sql.OF_PERSON, id=session.principal.id)
        if row is None:  # deactivated a moment ago
            raise SignInRefused(Refusal.NO_ACCOUNT)
        return row

    async def _verified(self, session: LiveSession, password: str, browser: Browser) -> Row:
        row = await self._person(session)
        if _needs_password(session, row):
            if row.password_hash is None:
                raise SignInRefused(Refusal.SIGN_IN_AGAIN)
            await self._passwords.verify(row.account or row.id, password, row.password_hash, browser)
        return row


def _needs_password(session: LiveSession, row: Row) -> bool:
    is_recent = datetime.now(UTC) - session.created_at < RECENT
    return not (session.method in _WITHOUT_PASSWORD and is_recent) and (row.password_hash is not None or not is_recent)
