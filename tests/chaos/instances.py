"""The instances of the service: processes of their own, and one in the process of the test whose writers can die.

Each instance reaches Redis through proxies of its own, so that it alone can lose Redis. A process can be killed at any
time, but not at a chosen step of a write. The instance in the process of the test can: its writers die just before or
just after their commit, and its database is sometimes slow.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import httpx2

from core.settings import Settings
from db.cache.ticket_cache import TicketCache
from db.postgres.database import Database, Decision
from db.postgres.failures import Attempt, attempt
from db.postgres.session import Session
from db.postgres.statements import Row, Statement
from db.redis.client import connect
from db.redis.guard import GuardedRedis
from services.tickets.service import lookup_schema
from support.factories import running, ticket_service
from support.redis_proxy import RedisConnections, redis_connections
from support.service_process import ServiceProcess

# Longer than a frozen process delays a response.
_CLIENT_TIMEOUT_S: Final = 30
_METRICS_TIMEOUT_S: Final = 1
_EVENT: Final = re.compile(r'^tickets_cache_events_total\{event="(\w+)"\} (\d+)', re.MULTILINE)


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
    """A running service. `service` is its process, and None for the one in the process of the test."""

    number: int
    client: httpx2.AsyncClient
    connections: RedisConnections
    service: ServiceProcess | None = None
    cache: TicketCache | None = None
    counted: Counter[str] = field(default_factory=Counter)
    """What the cache did until the process was killed."""

    async def cache_events(self) -> Counter[str]:
        """Return what the cache did, also in earlier processes of the instance, as far as is known."""
        if self.cache is not None:
            return Counter(asdict(self.cache.counters))
        try:
            async with asyncio.timeout(_METRICS_TIMEOUT_S):
                exposition = (await self.client.get("/metrics")).text
        except (httpx2.HTTPError, TimeoutError):
            return self.counted.copy()
        return self.counted + Counter({event: int(count) for event, count in _EVENT.findall(exposition)})


class MortalDatabase(Database):
    """Kills a writer around its commit according to its fate, and sometimes delays a result."""

    def __init__(self, dsn: str, *, pool_size: int, dice: Random) -> None:
        super().__init__(dsn, pool_size=pool_size)
        self._dice = dice

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        async with super().reading() as connection:
            yield connection
        await self.delay_sometimes()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        fate = fate_of_writer.get()
        async with super().transaction() as connection:
            yield connection
            await self.delay_sometimes()
            if fate is not None and fate.before_commit:
                fate.die()
        if fate is not None:
            fate.die()

    @asynccontextmanager
    async def deciding(self) -> AsyncIterator[Decision]:
        async with attempt() as current, self._main.reading() as connection:
            yield MortalDecision(connection, current, self)

    async def delay_sometimes(self) -> None:
        if self._dice.random() < 0.05:
            await asyncio.sleep(self._dice.uniform(0, 0.1))


class MortalDecision(Decision):
    """Kills a writer around its commit according to its fate, and sometimes delays it."""

    __slots__ = ("_database",)

    def __init__(self, connection: Session, current: Attempt, database: MortalDatabase) -> None:
        super().__init__(connection, current)
        self._database = database

    async def commit(self, statement: Statement, /, **values: object) -> Row | None:
        fate = fate_of_writer.get()
        await self._database.delay_sometimes()
        if fate is not None and fate.before_commit:
            fate.die()
        committed = await super().commit(statement, **values)
        if fate is not None and committed is not None:
            fate.die()
        return committed


class MortalCache(TicketCache):
    """Ignores the invalidations of a dead writer."""

    async def invalidate(self, ticket_id: int, version: int) -> bool:
        fate = fate_of_writer.get()
        if fate is not None and fate.is_dead:
            fate.die()
        return await super().invalidate(ticket_id, version)


@asynccontextmanager
async def instance_in_process(
    settings: Settings, number: int, log: Path, ports: list[int], **environment: str
) -> AsyncIterator[Instance]:
    """Yield a service in a process of its own, for a cluster whose nodes listen on these ports."""
    async with redis_connections(ports) as connections:
        environment = {"LOG_LEVEL": "warning", "LOG_FORMAT": "json"} | environment
        service = ServiceProcess(log, _through(settings, connections), **environment)
        async with (
            service,
            httpx2.AsyncClient(base_url=service.url, timeout=_CLIENT_TIMEOUT_S, trust_env=False) as client,
        ):
            yield Instance(number, client, connections, service)


@asynccontextmanager
async def mortal_instance(settings: Settings, number: int, ports: list[int], dice: Random) -> AsyncIterator[Instance]:
    """Yield an application in this process whose writers can die, for a cluster whose nodes listen on these ports."""
    assert settings.database_dsn is not None
    async with redis_connections(ports) as connections:
        settings = _through(settings, connections)
        assert settings.database_dsn is not None
        dsn = settings.database_dsn.get_secret_value()
        database = MortalDatabase(dsn, pool_size=settings.database_pool_size, dice=dice)
        cache = MortalCache(GuardedRedis(connect(settings)), schema=lookup_schema(), prefix=settings.redis_prefix)
        try:
            async with (
                running(settings) as (app, _),
                # This client raises the exception of the application where others get a 500.
                httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://tickets") as client,
            ):
                app.state.tickets = ticket_service(database, cache)
                await cache.warm_up()
                yield Instance(number, client, connections, cache=cache)
        finally:
            await cache.close()
            await database.close()


def _through(settings: Settings, connections: RedisConnections) -> Settings:
    return settings.model_copy(update={"redis_host": connections.hosts, "redis_port": connections.port})
