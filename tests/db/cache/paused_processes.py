"""Processes of the service that a test can pause at certain steps, so that it controls their order."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar

from core.settings import Settings
from db.cache.scripts import Script
from db.cache.stored import CacheOutcome
from db.cache.ticket_cache import TicketCache
from db.postgres.database import Database, Decision
from db.postgres.failures import attempt
from db.postgres.session import Session
from db.postgres.statements import Row, Statement
from db.redis.client import Client
from db.redis.guard import GuardedRedis
from schemas.tickets import TicketPatch
from services.access.principal import ANONYMOUS
from services.tickets.service import lookup_schema
from support.factories import patient_client, ticket_service

TIMEOUT_S: Final = 10

Result = TypeVar("Result")


class Paused(Generic[Result]):
    """A read or a write that is paused at a pause point."""

    def __init__(self, steps: Coroutine[Any, Any, Result]) -> None:
        self._task = asyncio.create_task(steps)
        self._may_continue = asyncio.Event()

    async def continue_to(self, point: "PausePoint") -> None:
        """Let it run up to another pause point."""
        self._may_continue.set()
        self._may_continue = asyncio.Event()
        await point.reached_by(self._may_continue)

    async def finish(self) -> Result:
        """Let it run to its end; return its result."""
        self._may_continue.set()
        async with asyncio.timeout(TIMEOUT_S):
            return await self._task

    async def cancel(self) -> None:
        """Cancel it at its pause point, as the server cancels a request whose client disconnected."""
        self._task.cancel()
        await asyncio.wait([self._task], timeout=TIMEOUT_S)
        assert self._task.cancelled()


class PausePoint:
    """A point in the steps of a process. It pauses the first read or write that reaches it after `pause`."""

    def __init__(self) -> None:
        self._may_continue: asyncio.Event | None = None
        self._is_reached = asyncio.Event()

    async def pause(self, steps: Coroutine[Any, Any, Result]) -> Paused[Result]:
        """Start a read or a write, and let it run up to this point."""
        paused = Paused(steps)
        await paused.continue_to(self)
        return paused

    async def reached_by(self, may_continue: asyncio.Event) -> None:
        """Return when a read or a write is paused here; it stays paused until `may_continue` is set."""
        self._may_continue = may_continue
        self._is_reached.clear()
        async with asyncio.timeout(TIMEOUT_S):
            await self._is_reached.wait()

    async def passed(self) -> None:
        """Pause here if a test requested it."""
        may_continue, self._may_continue = self._may_continue, None
        if may_continue is not None:
            self._is_reached.set()
            async with asyncio.timeout(TIMEOUT_S):
                await may_continue.wait()


class PausableDecision(Decision):
    """Pauses before and after its commit."""

    before_commit: "PausePoint"
    after_commit: "PausePoint"

    async def commit(self, statement: Statement, /, **values: object) -> Row | None:
        await self.before_commit.passed()
        committed = await super().commit(statement, **values)
        await self.after_commit.passed()
        return committed


class PausableDatabase(Database):
    """Has pause points before and after a read, and before and after a commit."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, pool_size=5)
        self.after_lease = PausePoint()
        self.after_read = PausePoint()
        self.before_commit = PausePoint()
        self.after_commit = PausePoint()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        await self.after_lease.passed()
        async with super().reading() as connection:
            yield connection
        await self.after_read.passed()

    @asynccontextmanager
    async def deciding(self) -> AsyncIterator[Decision]:
        async with attempt() as current, self._main.reading() as connection:
            decision = PausableDecision(connection, current)
            decision.before_commit, decision.after_commit = self.before_commit, self.after_commit
            yield decision

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        async with super().transaction() as connection:
            yield connection
            await self.before_commit.passed()
        await self.after_commit.passed()


class WatchedRedis(GuardedRedis):
    """Counts the reads, and runs no script after a crash of the process."""

    reads = 0
    is_crashed = False

    async def has_read(self, times: int) -> None:
        """Return when so many reads have replied, and their callers have run up to their next wait."""
        async with asyncio.timeout(TIMEOUT_S):
            while self.reads < times:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)

    async def read_with(
        self, key: str, *fields: str, other: str, timeout_s: float
    ) -> tuple[list[bytes | None], bytes | None]:
        values = await super().read_with(key, *fields, other=other, timeout_s=timeout_s)
        self.reads += 1
        return values

    async def run(
        self, script: Script, keys: str | tuple[str, ...], *arguments: str | int | bytes, timeout_s: float
    ) -> Any:
        if self.is_crashed:
            raise asyncio.CancelledError
        return await super().run(script, keys, *arguments, timeout_s=timeout_s)


class Process:
    """One process of the service. A read returns the version and the outcome, a write the new version."""

    def __init__(self, settings: Settings) -> None:
        assert settings.database_dsn is not None
        self.database = PausableDatabase(settings.database_dsn.get_secret_value())
        self.redis = WatchedRedis(patient_client(settings))
        self.cache = TicketCache(self.redis, schema=lookup_schema(), prefix=settings.redis_prefix)
        self.service = ticket_service(self.database, self.cache)

    async def read(self, ticket: int) -> tuple[int, CacheOutcome]:
        stored, outcome = await self.service.look_up(ticket, ANONYMOUS)
        assert json.loads(stored.body)["version"] == stored.version
        return stored.version, outcome

    async def write(self, ticket: int) -> int:
        return (await self.service.change(ticket, TicketPatch(subject=secrets.token_hex(4)), ANONYMOUS)).version


class CachedKey:
    """Changes the key of a ticket in Redis."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    async def evict(self) -> None:
        assert await self._client.delete(self._name) in {0, 1}

    async def end_lease(self) -> None:
        assert await self._client.hset(self._name, "x", "1") == 0
