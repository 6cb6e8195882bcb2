"""Comparison of email addresses. PostgreSQL alone compares them, by its function `email_key`.

Python must not compare addresses in another way than as identical text: its rules of letter case differ from those of
a database, and requests of one person would then disagree on which tickets are theirs.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, Text, bindparam, func, select

from core.errors import Forbidden
from db.postgres.database import Database
from db.postgres.statements import Statement
from services.access.principal import Principal


def email_key(address: ColumnElement[Any]) -> ColumnElement[str]:
    """Return the key of an address; two addresses with equal keys are the same."""
    return func.email_key(address, type_=Text)


_ARE_SAME: Final = Statement(
    select(email_key(bindparam("first", type_=Text)) == email_key(bindparam("second", type_=Text)))
)


async def ensure_may_write_as(database: Database, principal: Principal, email: str) -> None:
    """Raise Forbidden unless a principal may write under an email address.

    Makes no query if a requester spells the address as their credentials do. Raises DatabaseUnavailable,
    DeadlineExceeded.
    """
    own = principal.requester_email
    if own is None or own == email:
        return
    async with database.reading() as connection:
        if not await connection.value(_ARE_SAME, first=own, second=email):
            raise Forbidden("a requester may write only under their own email address")
