"""The definitions of custom fields: admins create, change and archive them."""

import asyncio
from collections.abc import Mapping, Set
from typing import Any, Final

from pydantic_core import PydanticCustomError
from sqlalchemy import func, insert, literal_column, select, update

from core.errors import AlreadyExists, Fault, FieldNotFound, InvalidReference, TooManyFields, VersionMismatch
from db.cache.fence_groups import FenceGroups, Marks
from db.postgres.database import Database
from db.postgres.failures import raised_for_duplicates
from db.postgres.session import Session
from db.postgres.statements import Row, Statement, given
from models import FENCE_GROUPS, Scope
from schemas.custom_fields import (
    CustomField,
    CustomFieldCreate,
    CustomFieldList,
    CustomFieldPatch,
    ensure_options_fit,
)
from services.access.principal import Principal
from services.definitions import FRESH_FOR_S
from services.fields.definitions import FieldDefinitions, fields, read_all

MAX_FIELDS: Final = 100

_CREATED_WITH: Final = ("key", "label", "type", "options", "required", "visible_to_requester")
_CHANGEABLE: Final = ("label", "options", "required", "visible_to_requester", "archived")
_LOCK: Final = Statement(select(func.pg_advisory_xact_lock(literal_column("7415530151"))))
_COUNT: Final = Statement(select(func.count()).select_from(fields).where(~fields.c.archived))
_FIND: Final = Statement(select(*fields.c).where(fields.c.key == given(fields.c.key)))
_CREATE: Final = Statement(
    insert(fields).values({name: given(fields.c[name]) for name in _CREATED_WITH}).returning(*fields.c)
)
_SAVE: Final = Statement(
    update(fields)
    .values({name: given(fields.c[name]) for name in _CHANGEABLE})
    .values(version=fields.c.version + literal_column("1"), updated_at=func.now())
    .where(fields.c.key == given(fields.c.key))
    .returning(*fields.c)
)


class FieldService:
    """Reads and writes definitions. Agents and admins see all, requesters those that they may set; admins write.

    Every method raises InsufficientScope, DatabaseUnavailable and DeadlineExceeded; those that write also raise
    Forbidden and OutcomeUnknown. A change of what requesters see makes every cached body of a ticket void, in the same
    transaction, and returns two seconds later: then none can be read any more, and every process knows the change.
    """

    def __init__(self, database: Database, definitions: FieldDefinitions, groups: FenceGroups) -> None:
        self._database = database
        self._definitions = definitions
        self._groups = groups

    async def all(self, principal: Principal, *, archived: bool | None = None) -> CustomFieldList:
        """Return the fields that the principal may see, in the order of their keys."""
        principal.require(Scope.READ)
        async with self._database.reading() as connection:  # not from memory: another process may have made a field
            found = (await read_all(connection)).values()
        shown = [field for field in found if _is_visible(field, principal)]
        return CustomFieldList(items=[field for field in shown if archived is None or field.archived is archived])

    async def find(self, key: str, principal: Principal) -> CustomField:
        """Return a field. Raises FieldNotFound."""
        principal.require(Scope.READ)
        async with self._database.reading() as connection:
            field = _field_of(await _found(connection, key))
        if not _is_visible(field, principal):
            raise FieldNotFound(key)
        return field

    async def create(self, new: CustomFieldCreate, principal: Principal) -> CustomField:
        """Create a field. Raises AlreadyExists, TooManyFields."""
        principal.require_admin()
        with raised_for_duplicates("pk_fields", lambda: AlreadyExists("key")):
            async with self._database.transaction() as connection:
                await connection.run(_LOCK)
                await _ensure_room(connection)
                row = await connection.one(_CREATE, **new.model_dump())
        self._definitions.forget()
        return _field_of(row)

    async def change(
        self, key: str, patch: CustomFieldPatch, principal: Principal, *, expected: Set[int] | None = None
    ) -> CustomField:
        """Change a field; without any difference makes no version.

        Raises FieldNotFound, VersionMismatch, TooManyFields, InvalidReference.
        """
        principal.require_admin()
        changes = {name: getattr(patch, name) for name in patch.model_fields_set}
        void: Marks = {}
        async with self._database.transaction() as connection:
            await connection.run(_LOCK)
            before = _field_of(await _found(connection, key))
            if expected is not None and before.version not in expected:
                raise VersionMismatch(before.version)
            after = await _saved(connection, before, changes)
            if before.visible_to_requester is not after.visible_to_requester:
                void = await self._groups.mark_down(connection, range(FENCE_GROUPS))
        self._definitions.forget()
        if void:
            await asyncio.gather(self._groups.wait_until_dead(void), asyncio.sleep(FRESH_FOR_S))
        return after


async def _saved(connection: Session, before: CustomField, changes: Mapping[str, Any]) -> CustomField:
    if all(getattr(before, name) == value for name, value in changes.items()):
        return before
    if "options" in changes:
        try:
            ensure_options_fit(before.type, changes["options"])
        except PydanticCustomError as error:
            raise InvalidReference(Fault(error.message(), "body", "options")) from error
    if before.archived and changes.get("archived") is False:
        await _ensure_room(connection)
    values = before.model_dump(include={*_CHANGEABLE}) | dict(changes)
    return _field_of(await connection.one(_SAVE, key=before.key, **values))


async def _ensure_room(connection: Session) -> None:
    if await connection.value(_COUNT) >= MAX_FIELDS:
        raise TooManyFields


async def _found(connection: Session, key: str) -> Row:
    row = await connection.one_or_none(_FIND, key=key)
    if row is None:
        raise FieldNotFound(key)
    return row


def _is_visible(field: CustomField, principal: Principal) -> bool:
    return principal.requester_email is None or (field.visible_to_requester and not field.archived)


def _field_of(row: Row) -> CustomField:
    return CustomField.model_validate(dict(row))
