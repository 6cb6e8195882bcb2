"""The principal in whose name the background work finishes what a request has begun."""

from typing import Final

from sqlalchemy import select

from core.errors import Forbidden
from db.postgres.session import Session
from db.postgres.statements import Statement, given
from models import Role
from services.access.principal import ANONYMOUS, Principal
from services.directory.statements import ACTIVE_STAFF, principals

_FIND: Final = Statement(
    select(principals.c.id, principals.c.role, principals.c.name).where(
        principals.c.id == given(principals.c.id), ACTIVE_STAFF
    )
)


async def acting_staff(connection: Session, principal_id: str) -> Principal:
    """Return an agent or admin with the role that it has now. Raises Forbidden if it is not active any more.

    The request that began the work has checked the scopes of its key.
    """
    if principal_id == ANONYMOUS.id:
        return ANONYMOUS
    row = await connection.one_or_none(_FIND, id=principal_id)
    if row is None:
        raise Forbidden("the principal is no active agent or admin")
    return Principal(row.id, Role(row.role), name=row.name)
