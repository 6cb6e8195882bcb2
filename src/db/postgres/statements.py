"""Statements: SQLAlchemy Core constructs, compiled once to the text that asyncpg executes.

The services write a statement over the tables of `models`, so that a mistyped column fails when the module is imported.
SQLAlchemy's engine, greenlets and pool are not used at run time: they took a quarter of the CPU time of a request.
"""

from collections.abc import Mapping
from typing import Any, Final

import asyncpg
from sqlalchemy import BindParameter, ClauseElement, ColumnElement, Text, bindparam, literal_column
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnClause

_DIALECT: Final = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


_GIVEN: Final = "given_"


class Row(asyncpg.Record):
    """A row of a result. Its columns are attributes, and `dict(row)` has them by name."""

    __slots__ = ()

    def __getattr__(self, column: str) -> Any:  # noqa: ANN401 - what the column holds
        """Return the value of a column. Raises AttributeError."""
        try:
            return self[column]
        except KeyError:
            raise AttributeError(column) from None


class Statement:
    """A compiled statement: `sql` is the text that is sent, with `$1`, `$2`, … for the parameters in `names`.

    Every bind parameter is a named `bindparam` without a value. A Python constant in the construct would be sent again
    with each request, and would hide its value from the planner; `constant` writes it into the text. Raises ValueError
    if the construct contains a Python constant.
    """

    __slots__ = ("names", "sql")

    def __init__(self, construct: ClauseElement) -> None:
        compiled = construct.compile(dialect=_DIALECT)
        constants = [name for name, value in compiled.params.items() if value is not None]
        if constants:
            raise ValueError(f"write the constants {constants} with constant(): {compiled}")
        self.sql: Final = str(compiled)
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - every statement here is SQL
        self.names: Final = tuple(name.removeprefix(_GIVEN) for name in compiled.positiontup or ())

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        """Return the values in the order in which they are sent. Raises KeyError if one is missing."""
        return [values[name] for name in self.names]


def given(column: ColumnElement[Any]) -> BindParameter[Any]:
    """Return a parameter with the name and the type of a column.

    SQLAlchemy reserves the names of columns in INSERT and UPDATE, so the parameter has a prefix inside the construct.
    """
    return bindparam(f"{_GIVEN}{column.key}", type_=column.type)


def constant(value: str) -> ColumnClause[str]:
    """Return a text constant of the program, written into the statement as a literal. Never pass a client's text."""
    quoted = value.replace("'", "''")
    return literal_column(f"'{quoted}'", Text)
