"""A connection that executes statements with named parameters."""

import time
from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.exceptions import InvalidTransactionStateError

from db.postgres.statements import Row, Statement

if TYPE_CHECKING:
    _Connection = asyncpg.Connection[Row]
else:
    _Connection = asyncpg.Connection


class Session(_Connection):
    """A connection to PostgreSQL; its methods raise what the driver raises: see `db.postgres.failures`.

    `connected_at` is the time of the connection, by the monotonic clock.
    """

    def __init__(self, *parts: Any) -> None:  # noqa: ANN401 - the driver's own
        super().__init__(*parts)
        self.connected_at = time.monotonic()

    async def rows(self, statement: Statement, /, **values: object) -> list[Row]:
        """Execute a statement and return all rows."""
        return await self.fetch(statement.sql, *statement.arguments(values))

    async def one(self, statement: Statement, /, **values: object) -> Row:
        """Execute a statement and return its only row. Raises ValueError if there is not exactly one."""
        (row,) = await self.fetch(statement.sql, *statement.arguments(values))
        return row

    async def one_or_none(self, statement: Statement, /, **values: object) -> Row | None:
        """Execute a statement and return its row; None without rows. Raises ValueError if there are several."""
        rows = await self.fetch(statement.sql, *statement.arguments(values))
        if not rows:
            return None
        (row,) = rows
        return row

    async def value(self, statement: Statement, /, **values: object) -> Any:  # noqa: ANN401 - what the column holds
        """Execute a statement and return the first column of its first row; None without rows."""
        rows = await self.fetch(statement.sql, *statement.arguments(values))
        return rows[0][0] if rows else None

    async def run(self, statement: Statement, /, **values: object) -> None:
        """Execute a statement and ignore its result."""
        await self.fetch(statement.sql, *statement.arguments(values))

    async def prepare_once(self, statement: Statement) -> None:
        """Prepare a statement unless it is prepared already."""
        await self._get_statement(statement.sql, None)  # type: ignore[attr-defined]

    async def begin(self) -> None:
        """Begin a transaction. asyncpg's Transaction costs 4 µs more and checks for misuse that does not occur here."""
        await self.execute("BEGIN")

    async def commit(self) -> None:
        """Commit. Raises InvalidTransactionStateError if a statement failed and the server rolled back instead."""
        if await self.execute("COMMIT") != "COMMIT":
            raise InvalidTransactionStateError("the transaction had failed and was rolled back")

    async def rollback(self) -> None:
        """Roll back the open transaction. Does nothing if the connection is closed: the server rolls back then."""
        if self.is_closed() or not self.is_in_transaction():
            return
        try:
            await self.execute("ROLLBACK")
        except BaseException:
            self.terminate()  # the connection must not be reused with an open transaction
            raise
