"""The groups of agents."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from core.errors import AlreadyExists, Fault, GroupNotFound, InvalidReference, PrincipalNotFound, VersionMismatch
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row
from models import Scope
from schemas.groups import Group, GroupCreate, GroupPage, GroupPatch
from schemas.lists import Paging
from services.access.principal import Principal
from services.cursors import StoredCursors
from services.directory import statements as sql
from services.directory.lock import LOCK

_LIST_KEY = "groups"


class Groups:
    """Reads and writes groups and their members, who are active agents or admins when they are added.

    Agents and admins read, admins write. Every method raises Forbidden, InsufficientScope, DatabaseUnavailable and
    DeadlineExceeded; those that write also raise OutcomeUnknown.
    """

    def __init__(self, database: Database, cursors: StoredCursors) -> None:
        self._database = database
        self._cursors = cursors

    async def page(self, paging: Paging, principal: Principal) -> GroupPage:
        """Return groups in the order of their ids. Raises InvalidCursor."""
        principal.require_staff()
        principal.require(Scope.READ)
        cursors = await self._cursors.get()
        after, _ = (0, None) if paging.cursor is None else cursors.decode(_LIST_KEY, paging.cursor)
        async with self._database.reading() as connection:
            rows = await connection.rows(sql.PAGE_OF_GROUPS, after=after, limit=paging.limit + 1)
        items = [_group_of(row) for row in rows[: paging.limit]]
        next_cursor = cursors.encode(_LIST_KEY, (items[-1].id, None)) if len(rows) > paging.limit else None
        return GroupPage(items=items, next_cursor=next_cursor)

    async def find(self, group_id: int, principal: Principal) -> Group:
        """Return a group. Raises GroupNotFound."""
        principal.require_staff()
        principal.require(Scope.READ)
        async with self._database.reading() as connection:
            return _group_of(await _found(connection, group_id))

    async def create(self, new: GroupCreate, principal: Principal) -> Group:
        """Create a group. Raises AlreadyExists, InvalidReference."""
        principal.require_admin()
        async with self._database.transaction() as connection:
            await connection.run(LOCK)
            await _ensure_allowed(connection, 0, new.model_dump())
            group_id = await connection.value(sql.CREATE_GROUP, name=new.name, auto_close_after=new.auto_close_after)
            await connection.run(sql.ADD_MEMBERS, group_id=group_id, ids=new.members)
            return _group_of(await _found(connection, group_id))

    async def change(
        self, group_id: int, patch: GroupPatch, principal: Principal, *, expected: Set[int] | None = None
    ) -> Group:
        """Change a group, and replace all members if the patch has them; without any difference makes no version.

        Raises GroupNotFound, VersionMismatch, AlreadyExists, InvalidReference.
        """
        principal.require_admin()
        changes = {name: getattr(patch, name) for name in patch.model_fields_set}
        async with self._database.transaction() as connection:
            row = await _locked(connection, group_id)
            if expected is not None and row.version not in expected:
                raise VersionMismatch(row.version)
            await _ensure_allowed(connection, group_id, changes, row.members)
            return await _saved(connection, row, changes)

    async def add_member(self, group_id: int, member_id: str, principal: Principal) -> Group:
        """Add a member, unless it is one. Raises GroupNotFound, InvalidReference."""
        principal.require_admin()
        async with self._database.transaction() as connection:
            row = await _locked(connection, group_id)
            if member_id in row.members:
                return _group_of(row)
            if not await connection.rows(sql.ACTIVE_STAFF_AMONG, ids=[member_id]):
                raise InvalidReference(Fault(_NO_STAFF, "path", "principal_id"))
            return await _saved(connection, row, {"members": [*row.members, member_id]})

    async def remove_member(self, group_id: int, member_id: str, principal: Principal) -> Group:
        """Remove a member, if it is one. Raises GroupNotFound, PrincipalNotFound."""
        principal.require_admin()
        async with self._database.transaction() as connection:
            row = await _locked(connection, group_id)
            if await connection.one_or_none(sql.FIND_PRINCIPAL, id=member_id, subject=None) is None:
                raise PrincipalNotFound(member_id)
            return await _saved(connection, row, {"members": [each for each in row.members if each != member_id]})


_NO_STAFF = "must be the id of an active agent or admin"


async def _locked(connection: Session, group_id: int) -> Row:
    await connection.run(LOCK)
    return await _found(connection, group_id)


async def _found(connection: Session, group_id: int) -> Row:
    row = await connection.one_or_none(sql.GROUP, id=group_id)
    if row is None:
        raise GroupNotFound(str(group_id))
    return row


async def _ensure_allowed(
    connection: Session, group_id: int, changes: Mapping[str, Any], present: Sequence[str] = ()
) -> None:
    """Raise AlreadyExists or InvalidReference if the changes break a rule."""
    if "name" in changes and await connection.value(sql.NAME_IS_TAKEN, name=changes["name"], id=group_id):
        raise AlreadyExists("name")
    await _ensure_staff(connection, changes.get("members", ()), present)


async def _ensure_staff(connection: Session, member_ids: Sequence[str], present: Sequence[str]) -> None:
    """Raise InvalidReference for new members who are not active agents or admins. Present members may stay."""
    staff = {row.id for row in await connection.rows(sql.ACTIVE_STAFF_AMONG, ids=list(member_ids))}
    known = staff.union(present)
    faults = [
        Fault(_NO_STAFF, "body", "members", index)
        for index, member_id in enumerate(member_ids)
        if member_id not in known
    ]
    if faults:
        raise InvalidReference(*faults)


async def _saved(connection: Session, row: Row, changes: Mapping[str, Any]) -> Group:
    """Save the changes of a group if there are any, and return it."""
    values = {**row, **changes}
    ids = sorted(set(values["members"]))
    changed = {name: values[name] for name in ("name", "active", "auto_close_after")}
    if (changed, ids) == ({name: row[name] for name in changed}, row.members):
        return _group_of(row)
    await connection.run(sql.SAVE_GROUP, id=row.id, **changed)
    await connection.run(sql.REMOVE_MEMBERS, group_id=row.id, ids=ids)
    await connection.run(sql.ADD_MEMBERS, group_id=row.id, ids=ids)
    return _group_of(await _found(connection, row.id))


def _group_of(row: Row) -> Group:
    return Group.model_validate(dict(row))
