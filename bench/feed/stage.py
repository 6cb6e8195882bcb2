"""What the measurements share: the servers, copies of one database, and the form of the results."""

import asyncio
import math
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import asyncpg
import uvloop

from bench.preload import Report
from bench.server import Server
from bench.servers import Servers
from bench.targets import Verdict
from core.settings import async_dsn
from db.postgres.database import Database
from services.events.publisher import EventPublisher
from services.tickets.commit_signal import CommitSignal

TICKETS: Final = 10_000

_T = TypeVar("_T")


@dataclass(frozen=True)
class Figure:
    """Something measured that has no target, with its values, one for each round."""

    title: str
    unit: str
    values: Sequence[float]


@dataclass
class Results:
    """The values of the targets and of the other figures, in the order of their titles' first appearance."""

    _targets: dict[str, tuple[float, str, bool, list[float]]] = field(default_factory=dict)
    _figures: dict[str, tuple[str, list[float]]] = field(default_factory=dict)

    def add(self, title: str, value: float, *, limit: float, unit: str = "×", is_at_most: bool = True) -> None:
        """Add the value of a round to a target."""
        self._targets.setdefault(title, (limit, unit, is_at_most, []))[3].append(value)

    def note(self, title: str, value: float, unit: str) -> None:
        """Add the value of a round to a figure."""
        self._figures.setdefault(title, (unit, []))[1].append(value)

    @property
    def verdicts(self) -> list[Verdict]:
        """The targets."""
        return [Verdict(title, limit, unit, most, all_) for title, (limit, unit, most, all_) in self._targets.items()]

    @property
    def figures(self) -> list[Figure]:
        """The other figures."""
        return [Figure(title, unit, values) for title, (unit, values) in self._figures.items()]


@dataclass(frozen=True)
class Stage:
    """The servers, and the address of the database of which each measurement gets a copy.

    All events in it are published. It has `TICKETS` tickets.
    """

    servers: Servers
    template: str
    rounds: int
    is_quick: bool
    report: Report

    @contextmanager
    def serving(self, dsn: str, *, role: str = "agent", **settings: str) -> Iterator[Server]:
        """Yield a service that is ready; it is stopped at the end."""
        server = self.servers.service(dsn, has_key=True, role=role, **settings)
        try:
            server.wait_until_ready()
            yield server
        finally:
            server.stop()


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine on a loop that costs little beside what is measured."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def publish_all(dsn: str) -> None:
    """Publish the events of a database that no other process publishes."""
    database = Database(async_dsn(dsn), pool_size=1)
    try:
        await EventPublisher(database, CommitSignal()).publish_round()
    finally:
        await database.close()
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("VACUUM ANALYZE event_log, ticket_events")
    finally:
        await connection.close()


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
