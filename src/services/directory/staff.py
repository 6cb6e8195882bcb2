"""The names behind the ids in tickets, kept in memory: agents, admins, the service itself, and groups."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ARRAY, Text, and_, any_, bindparam, select

from db.postgres.session import Session
from db.postgres.statements import Statement, constant
from models import PrincipalKind, Role
from services.access.key_statements import MAY_AUTHENTICATE
from services.definitions import CachedDefinitions
from services.directory.statements import ACTIVE_STAFF, groups, principals

_COLUMNS: Final = (principals.c.id, principals.c.name, principals.c.email, principals.c.zone, principals.c.language)
_STAFF: Final = Statement(
    select(*_COLUMNS, principals.c.kind, and_(ACTIVE_STAFF, MAY_AUTHENTICATE).label("is_assignable"))
    .where(principals.c.role != constant(Role.REQUESTER))
    .order_by(principals.c.name, principals.c.id)
)
_GROUPS: Final = Statement(select(groups.c.id, groups.c.name, groups.c.active).order_by(groups.c.name, groups.c.id))
_NAMES: Final = Statement(
    select(principals.c.id, principals.c.name).where(principals.c.id == any_(bindparam("ids", type_=ARRAY(Text))))
)


@dataclass(frozen=True, slots=True)
class StaffMember:
    """A principal that is no requester. `zone` and `language` are those of a person."""

    id: str
    name: str
    email: str | None
    zone: str
    language: str
    is_person: bool
    is_assignable: bool


@dataclass(frozen=True, slots=True)
class NamedGroup:
    """A group."""

    id: int
    name: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class Staff:
    """All principals that are no requesters, and all groups, by id, in the order of their names."""

    members: Mapping[str, StaffMember]
    groups: Mapping[int, NamedGroup]

    def name_of(self, principal_id: str) -> str:
        """Return the name of a principal, or its id for one that is not known here."""
        member = self.members.get(principal_id)
        return principal_id if member is None else member.name

    def group_name(self, group_id: int) -> str:
        """Return the name of a group, or its number for one that is not known here."""
        group = self.groups.get(group_id)
        return f"#{group_id}" if group is None else group.name


class StaffDirectory(CachedDefinitions[Staff]):
    """Returns the names of staff and groups, at most two seconds old."""

    what = "the staff"

    async def read(self, connection: Session) -> Staff:
        """Return what is stored now."""
        members = {
            row.id: StaffMember(
                row.id,
                row.name,
                row.email,
                row.zone,
                row.language,
                is_person=row.kind == PrincipalKind.PERSON,
                is_assignable=row.is_assignable,
            )
            for row in await connection.rows(_STAFF)
        }
        found = {row.id: NamedGroup(row.id, row.name, row.active) for row in await connection.rows(_GROUPS)}
        return Staff(members, found)

    async def names_of(self, ids: Iterable[str]) -> Mapping[str, str]:
        """Return the names of principals, requesters included, by id; unknown ids are left out.

        Raises DatabaseUnavailable, DeadlineExceeded.
        """
        staff = await self.current()
        wanted = set(ids)
        names = {each: staff.members[each].name for each in wanted if each in staff.members}
        if missing := sorted(wanted - names.keys()):
            async with self._database.reading() as connection:
                names |= {row.id: row.name for row in await connection.rows(_NAMES, ids=missing)}
        return names
