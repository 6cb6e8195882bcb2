"""SQL as the services write it, and as the driver takes it: SQLAlchemy writes the statements, asyncpg carries them out.

Its engine, greenlets and pool took a quarter of the processor time of a request, and nothing of them was needed.
"""

from collections.abc import Mapping
from typing import Any, Final

import asyncpg
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

_DIALECT: Final = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


class Row(asyncpg.Record):
    """A row of an answer; its columns are its attributes, and `dict(row)` has them by name."""

    __slots__ = ()

    def __getattr__(self, column: str) -> Any:  # noqa: ANN401 - what the column holds
        """Return the value of a column. Raises AttributeError."""
        try:
            return self[column]
        except KeyError:
            raise AttributeError(column) from None


class Statement:
    """One statement with `:name` where its values stand, made once: `text` as it was written, `sql` as it is sent.

    PostgreSQL infers the types of the values; where it can not, the statement casts them.
    """

    __slots__ = ("_names", "sql", "text")

    def __init__(self, sql: str) -> None:
        compiled = text(sql).compile(dialect=_DIALECT)
        self.text: Final = sql
        self.sql: Final = str(compiled)
        self._names: Final = tuple(compiled.positiontup or ())

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        """Return the values in the order in which they are sent. Raises KeyError if one is missing."""
        return [values[name] for name in self._names]
