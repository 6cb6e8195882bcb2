"""The declarative base, the naming convention of constraints, and helpers for CHECK constraints."""

from enum import StrEnum

from sqlalchemy import CheckConstraint, MetaData, Table
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The base class of every table."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


def table_of(model: type[Base]) -> Table:
    """Return the table of a model, for statements of SQLAlchemy Core."""
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101 - every model here is mapped to a table of its own
    return table


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """Return the CHECK constraint that restricts `column` to the values of an enum."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def length_between(column: str, least: int, most: int) -> CheckConstraint:
    """Return the CHECK constraint on the length of a text column, in characters."""
    return CheckConstraint(f"char_length({column}) BETWEEN {least} AND {most}", name=f"{column}_length")
