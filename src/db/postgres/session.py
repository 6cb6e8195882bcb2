"""What the database lends: a connection of the driver that takes statements and their values by name."""

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

    `connected_at` is when it was made, by the monotonic clock.
    """

    def __init__(self, *parts: Any) -> None:  # noqa: ANN401 - the driver's own
        super().__init__(*parts)
        self.connected_at = time.monotonic()

    async def rows(self, statement: Statement, /, **values: object) -> list[Row]:
        """Carry out a statement and return every row of its answer."""
        return await self.fetch(statement.sql, *statement.arguments(values))

    async def one(self, statement: Statement, /, **values: object) -> Row:
        """Carry out a statement whose answer is one row. Raises ValueError if it is not."""
        (row,) = await self.fetch(statement.sql, *statement.arguments(values))
        return row

    async def one_or_none(self, statement: Statement, /, **values: object) -> Row | None:
        """Carry out a statement whose answer is one row, or none. Raises ValueError if there are more."""
        rows = await self.fetch(statement.sql, *statement.arguments(values))
        if not rows:
            return None
        (row,) = rows
        return row

    async def value(self, statement: Statement, /, **values: object) -> Any:  # noqa: ANN401 - what the column holds
        """Carry out a statement and return the first column of the first row of its answer; None if it has none."""
        rows = await self.fetch(statement.sql, *statement.arguments(values))
        return rows[0][0] if rows else None

    async def run(self, statement: Statement, /, **values: object) -> None:
        """Carry out a statement that answers nothing."""
        await self.fetch(statement.sql, *statement.arguments(values))

    async def prepare_once(self, statement: Statement) -> None:
        """Have the server know a statement; those that it knows cost nothing."""
        await self._get_statement(statement.sql, None)  # type: ignore[attr-defined]

    async def begin(self) -> None:
        """Begin a transaction. The driver's own object for it costs 4 µs more and guards what nobody here does."""
        await self.execute("BEGIN")

    async def commit(self) -> None:
        """Commit. Raises InvalidTransactionStateError if a statement failed and the server rolled back instead."""
        if await self.execute("COMMIT") != "COMMIT":
            raise InvalidTransactionStateError("the transaction had failed and was rolled back")

    async def rollback(self) -> None:
        """Roll back what was begun and not committed, if the connection is still there; the server does it if not."""
        if self.is_closed() or not self.is_in_transaction():
            return
        try:
            await self.execute("ROLLBACK")
        except BaseException:
            self.terminate()  # nobody else may find a transaction in it
            raise
