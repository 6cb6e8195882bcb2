"""Whether the service can do its work now."""

from typing import Final

from core.errors import DatabaseUnavailable
from db.cache import TicketCache
from db.postgres import Database
from db.redis_guard import CacheUnavailable
from schemas.health import Readiness, State

OK: Final = "ok"


class HealthService:
    """Asks the parts whether they answer. PostgreSQL is required; without Redis the service is only slower."""

    def __init__(self, database: Database, cache: TicketCache) -> None:
        self._database = database
        self._cache = cache

    async def readiness(self) -> Readiness:
        """Return the state of each part, and whether what is required is there."""
        database = await self._database_state()
        return Readiness(ready=database == OK, database=database, cache=await self._cache_state())

    async def _database_state(self) -> State:
        try:
            await self._database.ping()
        except DatabaseUnavailable:
            return "unavailable"
        return OK

    async def _cache_state(self) -> State:
        try:
            await self._cache.ping()
        except CacheUnavailable:
            return "unavailable"
        return OK
