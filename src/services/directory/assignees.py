"""The principals and groups that a ticket can be assigned to."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Text, and_, bindparam, exists, func, or_, select

from core.errors import Fault, InvalidReference
from db.postgres.database import Database
from db.postgres.statements import Statement, constant
from models import ApiKey, Group, Principal, PrincipalKind, Role, table_of

_principals: Final = table_of(Principal)
_groups: Final = table_of(Group)
_keys: Final = table_of(ApiKey)


def _check() -> Statement:
    assignee = bindparam("assignee_id", type_=Text)
    group = bindparam("group_id", type_=BigInteger)
    works_on_tickets = or_(*(_principals.c.role == constant(role) for role in (Role.AGENT, Role.ADMIN)))
    has_live_key = exists().where(
        _keys.c.principal_id == _principals.c.id,
        _keys.c.revoked_at.is_(None),
        or_(_keys.c.expires_at.is_(None), _keys.c.expires_at > func.now()),
    )
    is_person = _principals.c.kind == constant(PrincipalKind.PERSON)
    can_work = and_(_principals.c.active, works_on_tickets, or_(is_person, has_live_key))
    has_assignee = exists().where(_principals.c.id == assignee, can_work)
    has_group = exists().where(_groups.c.id == group, _groups.c.active)
    return Statement(
        select(
            or_(assignee.is_(None), has_assignee).label("has_assignee"),
            or_(group.is_(None), has_group).label("has_group"),
        )
    )


_CHECK: Final = _check()


@dataclass(frozen=True, slots=True)
class Working:
    """The assignee and the group of a ticket; None for none."""

    assignee_id: str | None
    group_id: int | None


class Assignees:
    """Checks references to principals and groups. Every method raises DatabaseUnavailable and DeadlineExceeded."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def still_valid(self, working: Working) -> Working:
        """Return the assignee and the group without one that is no longer active."""
        async with self._database.reading() as connection:
            found = await connection.one(_CHECK, assignee_id=working.assignee_id, group_id=working.group_id)
        return Working(
            working.assignee_id if found.has_assignee else None, working.group_id if found.has_group else None
        )

    async def ensure_exist(self, assignee_id: str | None, group_id: int | None) -> None:
        """Raise InvalidReference unless this is an active agent or admin, and an active group; None is always right.

        Makes no query if both are None.
        """
        if assignee_id is None and group_id is None:
            return
        async with self._database.reading() as connection:
            found = await connection.one(_CHECK, assignee_id=assignee_id, group_id=group_id)
        faults = [
            Fault(detail, "body", name)
            for is_right, detail, name in (
                (found.has_assignee, "must be the id of an active agent or admin", "assignee_id"),
                (found.has_group, "must be the id of an active group", "group_id"),
            )
            if not is_right
        ]
        if faults:
            raise InvalidReference(*faults)
