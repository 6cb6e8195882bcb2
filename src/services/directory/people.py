"""The people of the service: agents, admins, and requesters that are known by name."""

import json
from collections.abc import Mapping, Set
from datetime import datetime
from typing import Any

from core.errors import AlreadyExists, Fault, InvalidReference, LastAdmin, PrincipalNotFound, VersionMismatch
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row
from models import Role, RoleSource, Scope
from schemas.people import PeopleQuery, Person, PersonCreate, PersonPage, PersonPatch
from services.access.principal import Principal
from services.cursors import StoredCursors
from services.directory import statements as sql
from services.directory.lock import LOCK
from services.sign_in.sessions import end_all
from services.sign_in.tokens import forget_person


class People:
    """Reads and writes people. A person is never deleted: the history names them; they are deactivated instead.

    Agents and admins read, admins write. Every method raises Forbidden, InsufficientScope, DatabaseUnavailable and
    DeadlineExceeded; those that write also raise OutcomeUnknown.
    """

    def __init__(self, database: Database, cursors: StoredCursors) -> None:
        self._database = database
        self._cursors = cursors

    async def page(self, query: PeopleQuery, principal: Principal) -> PersonPage:
        """Return the people that match every filter, in the order of their creation. Raises InvalidCursor."""
        principal.require_staff()
        principal.require(Scope.READ)
        filters = query.model_dump(include={"role", "active", "group", "q"})
        list_key = f"people {json.dumps(filters)}"
        cursors = await self._cursors.get()
        after_at, after_id = (None, None) if query.cursor is None else cursors.unseal(list_key, query.cursor)
        after_at = None if after_at is None else datetime.fromisoformat(after_at)
        async with self._database.reading() as connection:
            rows = await connection.rows(
                sql.PAGE_OF_PEOPLE, after_at=after_at, after_id=after_id, limit=query.limit + 1, **filters
            )
        items = [person_of(row) for row in rows[: query.limit]]
        next_cursor = None
        if len(rows) > query.limit:
            last = items[-1]
            next_cursor = cursors.seal(list_key, [last.created_at.isoformat(), last.id])
        return PersonPage(items=items, next_cursor=next_cursor)

    async def find(self, person_id: str, principal: Principal) -> Person:
        """Return a person. Raises PrincipalNotFound."""
        principal.require_staff()
        principal.require(Scope.READ)
        async with self._database.reading() as connection:
            return person_of(await _found(connection, person_id))

    async def ensure_exists(self, person_id: str) -> None:
        """Raise PrincipalNotFound unless a person has this id."""
        async with self._database.reading() as connection:
            await _found(connection, person_id)

    async def create(self, new: PersonCreate, principal: Principal) -> Person:
        """Create a person. Raises AlreadyExists."""
        principal.require_admin()
        async with self._database.transaction() as connection:
            await connection.run(LOCK)
            if await connection.value(sql.EMAIL_IS_TAKEN, email=new.email, id=""):
                raise AlreadyExists("email")
            values = new.model_dump() | {"role_source": RoleSource.ADMIN, "subject": None}
            return person_of(await connection.one(sql.CREATE_PERSON, **values))

    async def change(
        self, person_id: str, patch: PersonPatch, principal: Principal, *, expected: Set[int] | None = None
    ) -> Person:
        """Change a person; a change without any difference makes no version.

        Raises PrincipalNotFound, VersionMismatch, AlreadyExists, LastAdmin, InvalidReference.
        """
        principal.require_admin()
        changes = {name: getattr(patch, name) for name in patch.model_fields_set}
        if "role" in changes:
            changes["role_source"] = RoleSource.ADMIN
        async with self._database.transaction() as connection:
            await connection.run(LOCK)
            row = await _found(connection, person_id)
            if expected is not None and row.version not in expected:
                raise VersionMismatch(row.version)
            if all(row[name] == value for name, value in changes.items()):
                return person_of(row)
            await _ensure_allowed(connection, row, changes)
            if not changes.get("active", True):
                # After a new activation, the person must sign in again.
                await end_all(connection, person_id)
                await forget_person(connection, person_id)
            return person_of(await connection.one(sql.SAVE_PERSON, **{**row, **changes}))


def person_of(row: Row) -> Person:
    """Return the person of a row."""
    return Person.model_validate(dict(row))


async def _found(connection: Session, person_id: str) -> Row:
    row = await connection.one_or_none(sql.PERSON, id=person_id)
    if row is None:
        raise PrincipalNotFound(person_id)
    return row


async def _ensure_allowed(connection: Session, row: Row, changes: Mapping[str, Any]) -> None:
    """Raise AlreadyExists, InvalidReference or LastAdmin if the changes break a rule."""
    role, email = changes.get("role", row.role), changes.get("email", row.email)
    if role == Role.REQUESTER and email is None:
        raise InvalidReference(Fault("a requester must have an email address", "body", "email"))
    if "email" in changes and await connection.value(sql.EMAIL_IS_TAKEN, email=email, id=row.id):
        raise AlreadyExists("email")
    is_admin = row.role == Role.ADMIN and row.active
    stays_admin = role == Role.ADMIN and changes.get("active", row.active)
    if is_admin and not stays_admin and not await connection.value(sql.HAS_OTHER_ADMIN, id=row.id):
        raise LastAdmin
