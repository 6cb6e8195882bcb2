"""The principals and groups that a ticket can be assigned to."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Text, bindparam, exists, or_, select

from core.errors import Fault, InvalidReference
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Statement
from services.access.key_statements import MAY_AUTHENTICATE
from services.directory.statements import ACTIVE_STAFF, groups, principals


def _check() -> Statement:
    assignee = bindparam("assignee_id", type_=Text)
    group = bindparam("group_id", type_=BigInteger)
    has_assignee = exists().where(principals.c.id == assignee, ACTIVE_STAFF, MAY_AUTHENTICATE)
    has_group = exists().where(groups.c.id == group, groups.c.active)
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


async def still_active(connection: Session, working: Working) -> Working:
    """Return the assignee and the group, each only if it is active."""
    found = await connection.one(_CHECK, assignee_id=working.assignee_id, group_id=working.group_id)
    return Working(working.assignee_id if found.has_assignee else None, working.group_id if found.has_group else None)


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
