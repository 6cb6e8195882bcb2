"""PostgreSQL's types of transaction ids and snapshots, which SQLAlchemy does not have."""

from typing import Any

from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType


class Xid8(UserDefinedType[str]):
    """`xid8`: the id of a transaction, 64 bits wide, so that it never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
        """Return the name of the type."""
        return "xid8"


class PgSnapshot(UserDefinedType[str]):
    """`pg_snapshot`: which transactions a statement saw as committed, as `xmin:xmax:xip,…`."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
        """Return the name of the type."""
        return "pg_snapshot"


# For `alembic check`, which reads the tables of a database.
ischema_names |= {"xid8": Xid8, "pg_snapshot": PgSnapshot}
