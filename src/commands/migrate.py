"""Migrates the database of DATABASE_DSN, in a process of its own: `python -m commands.migrate`, in the folder `src`.

Alembic would stay in the memory of the service that calls this at its start. If the migration fails, the reason is the
only line on stdout, and the exit status is 1.
"""

import sys

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from core import logs
from core.errors import DatabaseUnavailable
from core.output import Output
from core.settings import Settings
from db.postgres.migrations import migrate


def main() -> None:
    """Apply the missing migrations."""
    settings = Settings()
    logs.configure(settings)
    assert settings.database_dsn is not None  # noqa: S101 - the caller has used it already
    try:
        migrate(settings.database_dsn.get_secret_value(), timeout_s=settings.migration_timeout)
    except (CommandError, DBAPIError, DatabaseUnavailable) as error:
        Output(sys.stdout).write_line(str(getattr(error, "orig", None) or error).strip().partition("\n")[0])
        sys.exit(1)


if __name__ == "__main__":
    main()
