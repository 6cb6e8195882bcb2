"""Sign-in links: used once, within 15 minutes. Operators make them for any person, agents for requesters."""

from datetime import timedelta
from typing import Final

from sqlalchemy import exists, select

from core.errors import PrincipalNotFound
from core.sign_in_errors import Refusal, SignInRefused
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row, Statement
from models import Role, RoleSource, Scope, SignInMethod, SignInTokenPurpose
from models.principal import NAME_MAX_LENGTH
from schemas.fields import email_or_none
from services.access.principal import Principal
from services.directory import statements as directory
from services.directory.lock import LOCK
from services.sign_in import credential_statements as sql
from services.sign_in import sessions, tokens
from services.sign_in.passwords import SignedIn
from services.sign_in.sessions import Browser
from services.tickets.statements import requester, visible_ids

LASTS: Final = timedelta(minutes=15)
_PURPOSE: Final = SignInTokenPurpose.LINK
_HAS_TICKETS: Final = Statement(select(exists(visible_ids(requester).subquery().select())))


class SignInLinks:
    """Makes and uses links. Every method raises DatabaseUnavailable, DeadlineExceeded and OutcomeUnknown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def person_id_of(self, email: str) -> str:
        """Return the id of the active person with an address. Raises PrincipalNotFound."""
        async with self._database.reading() as connection:
            account = await connection.one(sql.ACCOUNT, email=email)
        if account.id is None:
            raise PrincipalNotFound(email)
        return str(account.id)

    async def for_person(self, email: str) -> str:
        """Return the token of a link that signs an active person in. Raises PrincipalNotFound."""
        person_id = await self.person_id_of(email)
        async with self._database.transaction() as connection:
            return await tokens.create(connection, _PURPOSE, person_id=person_id, lasts=LASTS)

    async def for_requester(self, email: str, principal: Principal) -> str:
        """Return the token of a link for a requester of tickets; for agents and admins.

        An agent gets no link for another agent or an admin: it would give the agent the role of that person.
        Raises Forbidden, InsufficientScope, SignInRefused.
        """
        principal.require_staff()
        principal.require(Scope.WRITE)
        address = email_or_none(email.strip())
        if address is None:
            raise SignInRefused(Refusal.INVALID_EMAIL)
        async with self._database.transaction() as connection:
            person_id = await _requester(connection, address)
            return await tokens.create(connection, _PURPOSE, person_id=person_id, lasts=LASTS)

    async def use(self, token: str, browser: Browser, *, former_token: str | None) -> SignedIn:
        """Begin a session; of concurrent uses of one link exactly one succeeds. Raises SignInRefused."""
        async with self._database.transaction() as connection:
            used = await tokens.use(connection, token, _PURPOSE)
            person = None if used is None else await connection.one_or_none(sql.OF_PERSON, id=used.person_id)
            if person is None:
                raise SignInRefused(Refusal.INVALID_LINK)
            method = SignInMethod.LINK
            return SignedIn(await sessions.begin(connection, person.id, method, browser, former_token=former_token))


async def _requester(connection: Session, email: str) -> str:
    """Return the id of the requester with an address; the person is made if there is none. Raises SignInRefused."""
    account = await connection.one(sql.ACCOUNT, email=email)
    if account.id is None:
        await connection.run(LOCK)
        account = await connection.one(sql.ACCOUNT, email=email)
    if account.id is None:
        account = await _new_requester(connection, email)
    elif account.role != Role.REQUESTER:
        raise SignInRefused(Refusal.NO_REQUESTER)
    return str(account.id)


async def _new_requester(connection: Session, email: str) -> Row:
    # A deactivated person keeps the address.
    is_taken = await connection.value(directory.EMAIL_IS_TAKEN, email=email, id="")
    if is_taken or not await connection.value(_HAS_TICKETS, requester=email):
        raise SignInRefused(Refusal.NO_REQUESTER)
    values = {"name": email[:NAME_MAX_LENGTH], "email": email, "role": Role.REQUESTER, "role_source": RoleSource.ADMIN}
    return await connection.one(directory.CREATE_PERSON, zone="UTC", language="en", subject=None, **values)
