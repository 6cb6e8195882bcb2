"""Readiness: the state of PostgreSQL, of its schema, of the cache, and of the background work."""

import asyncio
from typing import Final

from sqlalchemy import Boolean, cast, func, not_, or_, select

from core.errors import DatabaseUnavailable
from core.process import BackgroundState, ShutdownState
from db.cache.ticket_cache import TicketCache
from db.postgres.database import Database
from db.postgres.revisions import Revisions, revision_of
from db.postgres.statements import Statement, constant
from schemas.health import BackgroundWorkState, CacheState, DatabaseState, MigrationsState, Readiness

_is_read_only: Final = cast(func.current_setting(constant("default_transaction_read_only")), Boolean)

_IS_WRITABLE: Final = Statement(select(not_(or_(func.pg_is_in_recovery(type_=Boolean), _is_read_only))))


class HealthService:
    """Checks PostgreSQL, which is required, and Redis, without which the service is only slower."""

    def __init__(
        self,
        database: Database,
        cache: TicketCache,
        revisions: Revisions,
        stopping: ShutdownState,
        background: BackgroundState,
    ) -> None:
        self._database = database
        self._cache = cache
        self._revisions = revisions
        self._stopping = stopping
        self._background = background
        self._check: asyncio.Task[tuple[DatabaseState, MigrationsState, CacheState]] | None = None

    async def readiness(self) -> Readiness:
        """Return the state of each part, and whether the service is ready, within about two seconds.

        Concurrent calls share one check.
        """
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(self._check_all())
        database, migrations, cache = await asyncio.shield(self._check)
        stopping = bool(self._stopping)
        background = self._background_state()
        return Readiness(
            ready=database == "ok" and migrations == "ok" and background != "unavailable" and not stopping,
            stopping=stopping,
            database=database,
            migrations=migrations,
            cache=cache,
            background=background,
            failing_work=self._background.failing,
        )

    async def aclose(self) -> None:
        """Cancel a check that is running."""
        if self._check is not None:
            self._check.cancel()
            await asyncio.gather(self._check, return_exceptions=True)

    async def _check_all(self) -> tuple[DatabaseState, MigrationsState, CacheState]:
        (database, migrations), cache = await asyncio.gather(self._check_database(), self._check_cache())
        return database, migrations, cache

    async def _check_database(self) -> tuple[DatabaseState, MigrationsState]:
        try:
            async with self._database.probing() as connection:
                is_writable = await connection.value(_IS_WRITABLE)
                revision = await revision_of(connection)
        except DatabaseUnavailable:
            return "unavailable", "unknown"
        if not is_writable:
            self._database.expire_all()
        return "ok" if is_writable else "read_only", "ok" if self._revisions.suffice(revision) else "behind"

    def _background_state(self) -> BackgroundWorkState:
        if not self._background.failing:
            return "ok"
        return "unavailable" if self._background.is_required_failing else "degraded"

    async def _check_cache(self) -> CacheState:
        silent, nodes = await self._cache.count_unresponsive_nodes()
        if not silent:
            return "ok"
        return "unavailable" if silent >= nodes else "degraded"
