"""Processes of the service whose steps can be held, so that a test decides which comes after which."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar

from core.settings import Settings
from db.cache.scripts import Script
from db.cache.ticket_cache import CacheOutcome, TicketCache
from db.postgres.database import Database
from db.postgres.session import Session
from db.redis.client import Client, connect
from db.redis.guard import GuardedRedis
from schemas.tickets import TicketPatch
from services.access.principal import ANONYMOUS
from services.tickets.changes import TicketChanges
from services.tickets.service import TicketService, lookup_schema

TIMEOUT_S: Final = 10

Result = TypeVar("Result")


class Held(Generic[Result]):
    """A read or a write that stands at a gate."""

    def __init__(self, steps: Coroutine[Any, Any, Result]) -> None:
        self._task = asyncio.create_task(steps)
        self._may_go = asyncio.Event()

    async def go_on_to(self, gate: "Gate") -> None:
        """Let it make its steps up to another gate."""
        self._may_go.set()
        self._may_go = asyncio.Event()
        await gate.reached_by(self._may_go)

    async def go_on(self) -> Result:
        """Let it end."""
        self._may_go.set()
        async with asyncio.timeout(TIMEOUT_S):
            return await self._task

    async def cancel(self) -> None:
        """End it where it stands, as a request whose client has gone is ended."""
        self._task.cancel()
        await asyncio.wait([self._task], timeout=TIMEOUT_S)
        assert self._task.cancelled()


class Gate:
    """A point in the steps of a process; it holds the first who comes, if somebody is to be held there."""

    def __init__(self) -> None:
        self._may_go: asyncio.Event | None = None
        self._is_reached = asyncio.Event()

    async def hold(self, steps: Coroutine[Any, Any, Result]) -> Held[Result]:
        """Let a read or a write make its steps up to here."""
        held = Held(steps)
        await held.go_on_to(self)
        return held

    async def reached_by(self, may_go: asyncio.Event) -> None:
        """Return when somebody stands here, until `may_go`."""
        self._may_go = may_go
        self._is_reached.clear()
        async with asyncio.timeout(TIMEOUT_S):
            await self._is_reached.wait()

    async def passed(self) -> None:
        """Stand here if that is wanted."""
        may_go, self._may_go = self._may_go, None
        if may_go is not None:
            self._is_reached.set()
            async with asyncio.timeout(TIMEOUT_S):
                await may_go.wait()


class GatedDatabase(Database):
    """Has a gate on both sides of a read and of a commit."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, pool_size=5)
        self.after_lease, self.after_read, self.before_commit, self.after_commit = (
            Gate(),
            Gate(),
            Gate(),
            Gate(),
        )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        await self.after_lease.passed()
        async with super().reading() as connection:
            yield connection
        await self.after_read.passed()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        async with super().transaction() as connection:
            yield connection
            await self.before_commit.passed()
        await self.after_commit.passed()


class WatchedRedis(GuardedRedis):
    """Counts the looks for a body, and sends nothing once the process is dead."""

    looks = 0
    is_dead = False

    async def has_looked(self, times: int) -> None:
        """Return when so many reads have looked, and done what follows without waiting."""
        async with asyncio.timeout(TIMEOUT_S):
            while self.looks < times:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)

    async def read(self, key: str, *fields: str, budget_s: float) -> list[bytes | None]:
        answer = await super().read(key, *fields, budget_s=budget_s)
        self.looks += 1
        return answer

    async def run(self, script: Script, key: str, *arguments: str | int | bytes, budget_s: float) -> Any:
        if self.is_dead:
            raise asyncio.CancelledError
        return await super().run(script, key, *arguments, budget_s=budget_s)


class Process:
    """One process of the service; reads return the version and how it was found, writes the version they made."""

    def __init__(self, settings: Settings) -> None:
        assert settings.database_dsn is not None
        self.gates = GatedDatabase(settings.database_dsn.get_secret_value())
        self.redis = WatchedRedis(connect(settings))
        self.cache = TicketCache(self.redis, schema=lookup_schema(), prefix=settings.redis_prefix)
        self.service = TicketService(self.gates, self.cache, TicketChanges(self.gates, self.cache))

    async def read(self, ticket: int) -> tuple[int, CacheOutcome]:
        stored, outcome = await self.service.look_up(ticket, ANONYMOUS)
        assert json.loads(stored.body)["version"] == stored.version
        return stored.version, outcome

    async def write(self, ticket: int) -> int:
        return (await self.service.change(ticket, TicketPatch(subject=secrets.token_hex(4)), ANONYMOUS)).version


class CachedKey:
    """A hand on the ticket's key in Redis."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    async def evict(self) -> None:
        assert await self._client.delete(self._name) in {0, 1}

    async def end_lease(self) -> None:
        assert await self._client.hset(self._name, "x", "1") == 0
