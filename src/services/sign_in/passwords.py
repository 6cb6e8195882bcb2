"""Sign-in with a password, and then with a second factor if the person has one."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from core.sign_in_errors import Refusal, SignInRefused
from db.postgres.database import Database
from db.postgres.session import Session
from models import Role, SignInMethod, SignInTokenPurpose
from services.sign_in import credential_statements as sql
from services.sign_in import sessions, tokens
from services.sign_in.attempts import SignInAttempts
from services.sign_in.password_hashes import PasswordHashes, ensure_fit
from services.sign_in.second_factors import SecondFactors
from services.sign_in.sessions import Browser

STEP_LASTS: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The token of a new session."""

    token: str


@dataclass(frozen=True, slots=True)
class SecondFactorNeeded:
    """The password is right; `token` stands for it, for five minutes."""

    token: str


class Passwords:
    """Signs people in, and stores passwords.

    Every method raises Overloaded, DatabaseUnavailable, DeadlineExceeded and OutcomeUnknown.
    """

    def __init__(
        self, database: Database, attempts: SignInAttempts, second_factors: SecondFactors, *, is_on: bool = True
    ) -> None:
        self._database = database
        self._attempts = attempts
        self._second_factors = second_factors
        self.hashes: Final = PasswordHashes()
        self.is_on: Final = is_on

    async def sign_in(
        self, email: str, password: str, browser: Browser, *, former_token: str | None
    ) -> SignedIn | SecondFactorNeeded:
        """Begin a session, or ask for the second factor.

        Takes as long, and raises the same, for an unknown address as for a wrong password. Raises SignInRefused.
        """
        self.ensure_on()
        async with self._database.reading() as connection:
            account = await connection.one(sql.ACCOUNT, email=email[:1000].replace("\0", ""))
        await self.verify(account.account, password, account.password_hash, browser)
        async with self._database.transaction() as connection:
            row = await connection.one_or_none(sql.LOCK, person_id=account.id)
            # It was changed, or the person deactivated, in the meantime.
            if row is None or row.password_hash != account.password_hash:
                raise SignInRefused(Refusal.WRONG_PASSWORD)
            if row.has_totp:
                purpose, details = SignInTokenPurpose.SECOND_FACTOR, {"account": account.account}
                step = await tokens.create(connection, purpose, person_id=account.id, details=details, lasts=STEP_LASTS)
                return SecondFactorNeeded(step)
            method = SignInMethod.PASSWORD
            return SignedIn(await sessions.begin(connection, account.id, method, browser, former_token=former_token))

    async def confirm(self, step: str, code: str, browser: Browser, *, former_token: str | None) -> SignedIn:
        """Begin a session with the second factor, which is a code of the authenticator or a recovery code.

        Raises SignInRefused.
        """
        self.ensure_on()
        purpose = SignInTokenPurpose.SECOND_FACTOR
        async with self._database.transaction() as connection:
            known = await tokens.find(connection, step, purpose)
            row = None if known is None else await connection.one_or_none(sql.LOCK, person_id=known.person_id)
            if known is None or row is None or not row.has_totp:
                raise SignInRefused(Refusal.STEP_EXPIRED)
            # In the lock of the row, so that concurrent attempts are counted one after the other.
            account = tokens.details_of(known)["account"]
            self._attempts.ensure_allowed(browser.address, account)
            if not await self._second_factors.use(connection, row, code):
                self._attempts.record(browser.address, account)
                raise SignInRefused(Refusal.WRONG_CODE)
            if await tokens.use(connection, step, purpose) is None:
                raise SignInRefused(Refusal.STEP_EXPIRED)
            method = SignInMethod.PASSWORD
            return SignedIn(await sessions.begin(connection, row.person_id, method, browser, former_token=former_token))

    async def verify(self, account: str, password: str, password_hash: str | None, browser: Browser) -> None:
        """Raise SignInRefused unless a password has a hash, and count the failure."""
        async with self.hashes.turn():
            # In the turn, so that concurrent attempts are counted two at a time.
            self._attempts.ensure_allowed(browser.address, account)
            if not await self.hashes.is_right(password, password_hash):
                self._attempts.record(browser.address, account)
                raise SignInRefused(Refusal.WRONG_PASSWORD)

    async def set(self, person_id: str, password: str) -> str:
        """Store the password of a person as an operator, end the sessions, and return the name of the person.

        The first password of an admin closes the set-up. Raises SignInRefused.
        """
        async with self._database.reading() as connection:
            person = await connection.one(sql.OF_PERSON, id=person_id)
        ensure_fit(password, person.name, person.email or "")
        password_hash = await self.hashes.make(password)
        async with self._database.transaction() as connection:
            await store(connection, person_id, password_hash)
            await sessions.end_all(connection, person_id)
            if person.role == Role.ADMIN:
                await close_set_up(connection, person_id)
        return str(person.name)

    def ensure_on(self) -> None:
        """Raise SignInRefused if people sign in at the OIDC issuer only."""
        if not self.is_on:
            raise SignInRefused(Refusal.PASSWORD_OFF)


async def store(connection: Session, person_id: str, password_hash: str) -> None:
    """Store a password in a transaction, and void the links and the half-finished sign-ins of the person."""
    await connection.run(sql.SET_PASSWORD, person_id=person_id, password_hash=password_hash)
    await tokens.forget_person(connection, person_id)


async def close_set_up(connection: Session, person_id: str) -> None:
    """Close the set-up in a transaction, unless it is closed."""
    await connection.run(sql.CLOSE_SET_UP, person_id=person_id)
    await tokens.forget_set_up(connection)
