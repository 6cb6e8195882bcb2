"""Whether the service can do its work now."""

import asyncio
from typing import Final

from core.errors import DatabaseUnavailable
from core.process import ShutdownState
from db.cache.ticket_cache import TicketCache
from db.postgres.database import Database
from db.postgres.migrations import Revisions
from db.postgres.statements import Statement
from schemas.health import CacheState, DatabaseState, MigrationsState, Readiness

_IS_WRITABLE: Final = Statement(
    "SELECT NOT (pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool)"
)
_IS_MIGRATED: Final = Statement("SELECT to_regclass('alembic_version') IS NOT NULL")
_REVISION: Final = Statement("SELECT version_num FROM alembic_version")


class HealthService:
    """Asks the parts whether they answer. PostgreSQL is required; without Redis the service is only slower."""

    def __init__(self, database: Database, cache: TicketCache, revisions: Revisions, stopping: ShutdownState) -> None:
        self._database = database
        self._cache = cache
        self._revisions = revisions
        self._stopping = stopping
        self._asking: asyncio.Task[tuple[DatabaseState, MigrationsState, CacheState]] | None = None

    async def readiness(self) -> Readiness:
        """Return the state of each part, and whether what is required is there, within some two seconds.

        However many ask at once, the parts are asked once.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        database, migrations, cache = await asyncio.shield(self._asking)
        stopping = bool(self._stopping)
        return Readiness(
            ready=database == "ok" and migrations == "ok" and not stopping,
            stopping=stopping,
            database=database,
            migrations=migrations,
            cache=cache,
        )

    async def aclose(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask(self) -> tuple[DatabaseState, MigrationsState, CacheState]:
        (database, migrations), cache = await asyncio.gather(self._ask_database(), self._ask_cache())
        return database, migrations, cache

    async def _ask_database(self) -> tuple[DatabaseState, MigrationsState]:
        try:
            async with self._database.probing() as connection:
                is_writable = await connection.value(_IS_WRITABLE)
                is_migrated = await connection.value(_IS_MIGRATED)
                revision = await connection.value(_REVISION) if is_migrated else None
        except DatabaseUnavailable:
            return "unavailable", "unknown"
        if not is_writable:
            self._database.expire_all()
        return "ok" if is_writable else "read_only", "ok" if self._revisions.suffice(revision) else "behind"

    async def _ask_cache(self) -> CacheState:
        silent, nodes = await self._cache.count_silent_nodes()
        if not silent:
            return "ok"
        return "unavailable" if silent >= nodes else "degraded"
