"""A storm on the event log: writers with pauses, one long transaction, and publishers that are killed."""

import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import asyncpg

from core.errors import Unavailable
from core.settings import ROOT, Settings
from db.postgres.database import Database
from models import Role
from services.access.principal import Principal
from services.events.publisher import EventPublisher
from services.tickets.changes import TicketChanges
from services.tickets.commit_signal import CommitSignal
from services.tickets.edited_ticket import EditedTicket
from support.event_rows import EQUAL, change, difference, open_ticket
from support.factories import a_new_ticket, cache_of, ticket_changes
from support.service_process import clean_environment

TICKETS: Final = 100
MAX_PAUSE_S: Final = 0.1
NEXT_POSITIONS: Final = "SELECT position FROM event_log WHERE position > $1 ORDER BY position LIMIT 500"
AGENT: Final = Principal("key:agent", Role.AGENT)


@dataclass(frozen=True)
class Plan:
    """How long the storm lasts, and how many take part; half of the writers use the write path of the service."""

    seed: int
    seconds: float
    writers: int = 64
    publishers: int = 3


@dataclass
class Report:
    """What happened: `violations` are what the log must not have, the delays are from a commit until it is readable."""

    done: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)

    def delay_s(self, share: float) -> float:
        """Return the delay that this share of the probes did not exceed."""
        return sorted(self.delays_s)[int(share * (len(self.delays_s) - 1))] if self.delays_s else 0


async def storm(settings: Settings, plan: Plan) -> Report:
    """Run the storm on an own database, and compare the log with the history at the end."""
    assert settings.database_dsn is not None
    dsn = settings.database_dsn.get_secret_value().replace("+asyncpg", "")
    report, until = Report(), time.monotonic() + plan.seconds
    dice = _dice(plan.seed)
    async with AsyncExitStack() as stack:
        sql = await stack.enter_async_context(_connected(dsn))
        database = Database(settings.database_dsn.get_secret_value(), pool_size=12)
        stack.push_async_callback(database.close)
        cache = await stack.enter_async_context(cache_of(settings))
        changes = ticket_changes(database, cache)
        tickets = [await open_ticket(sql) for _ in range(TICKETS)]
        half = plan.writers // 2
        parts = [_write_by_sql(dsn, tickets, next(dice), report, until) for _ in range(half)]
        parts += [_write(changes, tickets, next(dice), report, until) for _ in range(half)]
        parts += [_publish(dsn, next(dice), report, until) for _ in range(plan.publishers)]
        parts += [_hold_open(dsn, await open_ticket(sql), until)]
        parts += [_follow(dsn, report, until), _probe(dsn, report, until)]
        await asyncio.gather(*parts)
        await EventPublisher(database, CommitSignal()).publish_round()
        report.done["events"] = await sql.fetchval("SELECT count(*) FROM ticket_events")
        found = await difference(sql)
        report.violations += [f"{name}: {count}" for name, count in found.items() if count != EQUAL[name]]
    return report


def _dice(seed: int) -> Iterator[Random]:
    """Yield random numbers for each part, so that none depends on the pace of another."""
    return (Random(f"{seed} {number}") for number in itertools.count())  # noqa: S311 - not a secret


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def _write_by_sql(dsn: str, tickets: list[int], dice: Random, report: Report, until: float) -> None:
    """Write one to three events a transaction, with pauses, which may have its id long before it writes."""
    async with _connected(dsn) as sql:
        while time.monotonic() < until:
            transaction = sql.transaction()
            await transaction.start()
            if dice.random() < 0.5:
                await sql.execute("SELECT pg_current_xact_id()")
                await _sleep(sql, dice)
            for ticket_id in sorted(dice.sample(tickets, dice.choice([1, 1, 3]))):
                await change(sql, ticket_id)
                await _sleep(sql, dice)
            if dice.random() < 0.1:
                await transaction.rollback()
                report.done["rolled back"] += 1
            else:
                await transaction.commit()
                report.done["committed by SQL"] += 1


async def _write(changes: TicketChanges, tickets: list[int], dice: Random, report: Report, until: float) -> None:
    """Create and change tickets through the write path of the service; a change may pause before it is saved."""
    while time.monotonic() < until:
        with suppress(Unavailable):  # nothing was written, or it is in the history
            if dice.random() < 0.3:
                await changes.create(a_new_ticket(), AGENT)
            elif dice.random() < 0.5:
                await changes.change(dice.choice(tickets), AGENT, _edit(f"subject {dice.random()}"))
            else:
                async with changes.changing(dice.sample(tickets, 2), AGENT) as locked:
                    for ticket in locked:
                        ticket.edit("subject", f"subject {dice.random()}")
                    await locked.connection.execute(f"SELECT pg_sleep({dice.uniform(0, MAX_PAUSE_S)})")
            report.done["committed by the service"] += 1
        await asyncio.sleep(dice.uniform(0, MAX_PAUSE_S))


def _edit(subject: str) -> Callable[[EditedTicket], None]:
    def decide(ticket: EditedTicket) -> None:
        ticket.edit("subject", subject)

    return decide


async def _sleep(sql: asyncpg.Connection, dice: Random) -> None:
    await sql.execute("SELECT pg_sleep($1)", dice.uniform(0, MAX_PAUSE_S) if dice.random() < 0.3 else 0.0)


async def _hold_open(dsn: str, ticket_id: int, until: float) -> None:
    """Keep a transaction open that wrote an event at the very beginning."""
    async with _connected(dsn) as sql, sql.transaction():
        await change(sql, ticket_id)
        await asyncio.sleep(until - time.monotonic())


async def _publish(dsn: str, dice: Random, report: Report, until: float) -> None:
    """Start a process that publishes, kill it, and start the next one."""
    program = Path(__file__).with_name("publishing.py")
    environment = clean_environment(PYTHONPATH=str(ROOT / "src"))
    while time.monotonic() < until:
        process = await asyncio.create_subprocess_exec(
            sys.executable, program, dsn.replace("postgresql", "postgresql+asyncpg", 1),
            env=environment, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        if await process.stdout.readline():
            report.done["publishers killed"] += 1
            await asyncio.sleep(min(dice.uniform(0.1, 1.5), max(0, until - time.monotonic())))
        with suppress(ProcessLookupError):  # it has ended by itself
            process.kill()
        await process.wait()


async def _follow(dsn: str, report: Report, until: float) -> None:
    """Read the log like a consumer: what it sees after a position must be the next ones, without a gap."""
    after = 0
    async with _connected(dsn) as sql:
        while time.monotonic() < until:
            rows = await sql.fetch(
                "SELECT position FROM event_log WHERE position > $1 ORDER BY position LIMIT 500", after
            )
            found = [row["position"] for row in rows]
            if found != list(range(after + 1, after + 1 + len(found))):
                report.violations.append(f"a reader at {after} saw {found[:5]} first")
            after += len(found)
            report.done["read by a consumer"] = after
            await asyncio.sleep(0.005)


async def _probe(dsn: str, report: Report, until: float) -> None:
    """Measure how long an event takes from its commit until it can be read in the log."""
    async with _connected(dsn) as sql:
        while time.monotonic() < until:
            ticket_id = await open_ticket(sql)
            began_at = time.monotonic()
            while not await sql.fetchval("SELECT true FROM event_log WHERE ticket_id = $1", ticket_id):
                if time.monotonic() > until:
                    return
                await asyncio.sleep(0.002)
            report.delays_s.append(time.monotonic() - began_at)
