"""The principals and groups that a ticket can be assigned to."""

from typing import Final

from sqlalchemy import BigInteger, Text, bindparam, exists, or_, select

from core.errors import InvalidReference
from db.postgres.database import Database
from db.postgres.statements import Statement, constant
from models import Group, Principal, Role, table_of

_principals: Final = table_of(Principal)
_groups: Final = table_of(Group)


def _check() -> Statement:
    assignee = bindparam("assignee_id", type_=Text)
    group = bindparam("group_id", type_=BigInteger)
    works_on_tickets = or_(*(_principals.c.role == constant(role) for role in (Role.AGENT, Role.ADMIN)))
    has_assignee = exists().where(_principals.c.id == assignee, _principals.c.active, works_on_tickets)
    has_group = exists().where(_groups.c.id == group, _groups.c.active)
    return Statement(
        select(
            or_(assignee.is_(None), has_assignee).label("has_assignee"),
            or_(group.is_(None), has_group).label("has_group"),
        )
    )


_CHECK: Final = _check()


class Assignees:
    """Checks references to principals and groups. Every method raises DatabaseUnavailable and DeadlineExceeded."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure_exist(self, assignee_id: str | None, group_id: int | None) -> None:
        """Raise InvalidReference unless this is an active agent or admin, and an active group; None is always right.

        Makes no query if both are None.
        """
        if assignee_id is None and group_id is None:
            return
        async with self._database.reading() as connection:
            found = await connection.one(_CHECK, assignee_id=assignee_id, group_id=group_id)
        if not found.has_assignee:
            raise InvalidReference("must be the id of an active agent or admin", "body", "assignee_id")
        if not found.has_group:
            raise InvalidReference("must be the id of an active group", "body", "group_id")
