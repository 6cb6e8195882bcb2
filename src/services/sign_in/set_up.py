"""The set-up: a link that only the operator sees makes the first admin, and ends the unprotected mode for good."""

from pathlib import Path
from typing import Final

from sqlalchemy import select

from core.sign_in_errors import Refusal, SignInRefused
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row, Statement, constant, given
from models import PrincipalKind, Role, RoleSource, SignInMethod, SignInTokenPurpose
from schemas.people import PersonCreate
from services.access.api_key_cache import ApiKeyCache
from services.access.email_addresses import email_key
from services.directory import statements as directory
from services.directory.lock import LOCK
from services.sign_in import credential_statements as sql
from services.sign_in import sessions, set_up_file, tokens
from services.sign_in.attempts import SignInAttempts
from services.sign_in.new_admin import NewAdmin
from services.sign_in.passwords import Passwords, SignedIn, close_set_up, store
from services.sign_in.sessions import Browser

_PURPOSE: Final = SignInTokenPurpose.SET_UP
# The limit of failed attempts counts all of them as one account.
_ACCOUNT: Final = "set-up"
_people: Final = directory.principals
_BY_EMAIL: Final = Statement(
    select(*_people.c).where(
        _people.c.kind == constant(PrincipalKind.PERSON),
        email_key(_people.c.email) == email_key(given(_people.c.email)),
    )
)


class SetUp:
    """Makes the first admin. Every method raises DatabaseUnavailable and DeadlineExceeded.

    `folder` holds the file with the token, which is deleted when the set-up is closed.
    """

    def __init__(
        self, database: Database, passwords: Passwords, attempts: SignInAttempts, keys: ApiKeyCache, folder: Path
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._attempts = attempts
        self._keys = keys
        self._folder = folder
        self._is_closed = False

    async def is_open(self) -> bool:
        """Return whether the service waits for its first admin; closed is for ever."""
        if self._is_closed or not self._passwords.is_on:
            return False
        async with self._database.control() as connection:
            self._is_closed = bool(await connection.value(sql.IS_SET_UP_CLOSED))
        return not self._is_closed

    async def claim(self, token: str, new: NewAdmin, browser: Browser, *, former_token: str | None) -> SignedIn:
        """Make an admin and begin a session; of concurrent claims exactly one succeeds.

        An existing person with the email address becomes the admin. Raises SignInRefused, Overloaded, OutcomeUnknown.
        """
        await self._ensure_open_with(token, browser)
        person = new.checked()
        password_hash = await self._passwords.hashes.make(new.password)
        async with self._database.transaction() as connection:
            # It serializes the claims: a later one finds the set-up closed.
            await connection.run(LOCK)
            if await connection.value(sql.IS_SET_UP_CLOSED):
                raise SignInRefused(Refusal.SET_UP_CLOSED)
            if await tokens.use(connection, token, _PURPOSE) is None:
                raise SignInRefused(Refusal.INVALID_SET_UP_TOKEN)
            admin = await _admin(connection, person)
            await store(connection, admin.id, password_hash)
            await close_set_up(connection, admin.id)
            method = SignInMethod.SET_UP
            session = await sessions.begin(connection, admin.id, method, browser, former_token=former_token)
        self._is_closed = True
        self._keys.require()
        set_up_file.remove(self._folder)
        return SignedIn(session)

    async def _ensure_open_with(self, token: str, browser: Browser) -> None:
        if not await self.is_open():
            raise SignInRefused(Refusal.SET_UP_CLOSED)
        self._attempts.ensure_allowed(browser.address, _ACCOUNT)
        async with self._database.reading() as connection:
            found = await tokens.find(connection, token, _PURPOSE)
        if found is None:
            self._attempts.record(browser.address, _ACCOUNT)
            raise SignInRefused(Refusal.INVALID_SET_UP_TOKEN)


async def open_set_up(database: Database, stored_token: str | None) -> str | None:
    """Return a token that opens the set-up: the stored one, if it is valid, or else a new one. None if it is closed.

    Raises DatabaseUnavailable, OutcomeUnknown.
    """
    async with database.transaction() as connection:
        if await connection.value(sql.IS_SET_UP_CLOSED):
            return None
        if stored_token is not None and await tokens.find(connection, stored_token, _PURPOSE) is not None:
            return stored_token
        return await tokens.create(connection, _PURPOSE)


async def _admin(connection: Session, person: PersonCreate) -> Row:
    """Insert the admin, or make the person with this address one."""
    found = await connection.one_or_none(_BY_EMAIL, email=person.email)
    if found is None:
        values = person.model_dump() | {"role_source": RoleSource.ADMIN, "subject": None}
        return await connection.one(directory.CREATE_PERSON, **values)
    changes = {"name": person.name, "role": Role.ADMIN, "role_source": RoleSource.ADMIN, "active": True}
    return await connection.one(directory.SAVE_PERSON, **{**found, **changes})
