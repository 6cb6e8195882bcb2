"""Instances of the service that record their invalidations and can die in the middle of a write."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx2

from chaos.history import CacheRecord, Delivery
from core.settings import Settings
from db.cache.fence_groups import FenceGroups
from db.cache.scripts import INVALIDATE, INVALIDATE_BEFORE, Script
from db.cache.ticket_cache import TicketCache
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row, Statement
from db.redis.client import Client, connect
from db.redis.guard import GuardedRedis
from services.tickets.changes import TicketChanges
from services.tickets.service import TicketService, lookup_schema
from support.factories import running


class WriterKilled(BaseException):
    """Raised where a killed process stops. Not an Exception, so that the service does not catch it."""


@dataclass(slots=True)
class Fate:
    """The time of a writer's death, just before its commit or just after it. A dead writer does nothing."""

    before_commit: bool
    is_dead: bool = False

    def die(self) -> None:
        """Kill the writer here."""
        self.is_dead = True
        raise WriterKilled


fate_of_writer: ContextVar[Fate | None] = ContextVar("fate_of_writer", default=None)


@dataclass(frozen=True, slots=True)
class Instance:
    """A running application that stands for one process of several."""

    number: int
    client: httpx2.AsyncClient
    cache: TicketCache


class RecordingRedis(GuardedRedis):
    """Records the invalidations and whether they reached Redis."""

    def __init__(self, client: Client, record: CacheRecord, instance: int) -> None:
        super().__init__(client)
        self._record = record
        self._instance = instance

    async def run(
        self, script: Script, keys: str | tuple[str, ...], *arguments: str | int | bytes, timeout_s: float
    ) -> Any:
        if script not in {INVALIDATE, INVALIDATE_BEFORE}:
            return await super().run(script, keys, *arguments, timeout_s=timeout_s)
        ticket_id, version = int(str(keys).rpartition(":")[2]), int(arguments[0])
        began_at, is_delivered, was_cancelled = time.monotonic(), False, False
        try:
            result = await super().run(script, keys, *arguments, timeout_s=timeout_s)
            is_delivered = True
        except asyncio.CancelledError:
            was_cancelled = True
            raise
        finally:
            delivery = Delivery(
                ticket_id, version, self._instance, began_at, time.monotonic(), is_delivered, was_cancelled
            )
            self._record.add(delivery)
        return result


class MortalDatabase(Database):
    """Kills a writer around its commit according to its fate, and sometimes delays a result."""

    def __init__(self, dsn: str, *, pool_size: int, dice: Random) -> None:
        super().__init__(dsn, pool_size=pool_size)
        self._dice = dice

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        async with super().reading() as connection:
            yield connection
        await self._delay_sometimes()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        fate = fate_of_writer.get()
        async with super().transaction() as connection:
            yield connection
            await self._delay_sometimes()
            if fate is not None and fate.before_commit:
                fate.die()
        if fate is not None:
            fate.die()

    async def write(self, statement: Statement, /, **values: object) -> Row:
        fate = fate_of_writer.get()
        if fate is not None and fate.before_commit:
            fate.die()
        written = await super().write(statement, **values)
        await self._delay_sometimes()
        if fate is not None:
            fate.die()
        return written

    async def _delay_sometimes(self) -> None:
        if self._dice.random() < 0.05:
            await asyncio.sleep(self._dice.uniform(0, 0.1))


class MortalCache(TicketCache):
    """Ignores the invalidations of a dead writer."""

    def __init__(self, redis: GuardedRedis, record: CacheRecord, prefix: str) -> None:
        super().__init__(redis, schema=lookup_schema(), prefix=prefix)
        self._record = record

    async def invalidate(self, ticket_id: int, version: int) -> bool:
        # A writer invalidates again after its commit. The time of the second invalidation overwrites the first.
        self._record.committed_by[ticket_id, version] = time.monotonic()
        fate = fate_of_writer.get()
        if fate is not None and fate.is_dead:
            fate.die()
        return await super().invalidate(ticket_id, version)


@asynccontextmanager
async def instance(settings: Settings, number: int, record: CacheRecord, dice: Random) -> AsyncIterator[Instance]:
    """Yield a running application that records its invalidations and whose writers can die."""
    assert settings.database_dsn is not None
    dsn = settings.database_dsn.get_secret_value()
    database = MortalDatabase(dsn, pool_size=settings.database_pool_size, dice=dice)
    cache = MortalCache(RecordingRedis(connect(settings), record, number), record, settings.redis_prefix)
    try:
        async with (
            running(settings) as (app, _),
            # This client raises the exception of the application where others get a 500.
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://tickets") as client,
        ):
            app.state.tickets = TicketService(database, cache, TicketChanges(database, cache, FenceGroups(database)))
            await cache.warm_up()
            yield Instance(number, client, cache)
    finally:
        await cache.close()
        await database.close()
