"""One run: two instances of the service, clients of both, faults, and the verdict."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import asyncpg

from chaos.checker import Verdict, Violation, check
from chaos.clients import Client, Crowd
from chaos.faults import Faults
from chaos.history import Event, Final, History, State
from chaos.instances import Instance, instance
from db.embedded.valkey import EmbeddedValkey
from support.factories import settings_for

INSTANCES = 2
RECOVERY_TIMEOUT_S = 10
# Enough for every node to own some of them.
_NEW_TICKETS = 12


@dataclass(slots=True)
class Report:
    """The result of a run."""

    history: History = field(default_factory=History)
    verdict: Verdict = field(default_factory=Verdict)
    faults: Counter[str] = field(default_factory=Counter)
    cache: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Plan:
    """The duration and the number of clients. The seed determines the operations and the faults."""

    seed: int
    clients: int
    seconds: float


async def storm(dsn: str, valkey: EmbeddedValkey, plan: Plan, progress: Callable[[str], None]) -> Report:
    """Run a plan on a migrated database and a formed cluster, and check the history."""
    random.seed(plan.seed)
    report = Report()
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in valkey.nodes)
    settings = settings_for(dsn, hosts, valkey.port)
    faults = Faults(valkey, settings, _dice(plan, "faults"), report.history.cache)
    async with AsyncExitStack() as stack:
        instances = [
            await stack.enter_async_context(
                instance(settings, number, report.history.cache, _dice(plan, f"instance {number}"))
            )
            for number in range(1, INSTANCES + 1)
        ]
        crowd = Crowd(instances, operations=report.history.operations, faults=faults.counts)
        clients = [Client(f"c{number}", _dice(plan, f"client {number}"), crowd) for number in range(plan.clients)]
        until = time.monotonic() + plan.seconds
        async with _progress(crowd, plan, progress), asyncio.TaskGroup() as group:
            group.create_task(faults.harm_nodes(until=until))
            group.create_task(faults.delete_keys(crowd.tickets, until=until))
            for client in clients:
                group.create_task(client.run(until=until))
        for ticket_id in crowd.tickets[:]:
            await clients[0].look_at(ticket_id)
        late_hits = await _hits_return(clients[0], crowd)
        report.cache = _counters(instances)
    faults.settle(crowd.tickets)
    report.history.finals = await _finals(dsn)
    report.faults = faults.counts
    report.verdict = check(report.history)
    report.verdict.violations += late_hits
    return report


def _dice(plan: Plan, owner: str) -> Random:
    return Random(f"{plan.seed} {owner}")  # noqa: S311 - the same seed must give the same run


@asynccontextmanager
async def _progress(crowd: Crowd, plan: Plan, progress: Callable[[str], None]) -> AsyncIterator[None]:
    async def report() -> None:
        began_at = time.monotonic()
        while True:
            await asyncio.sleep(10)
            done, faults = len(crowd.operations), sum(crowd.faults.values())
            progress(f"{time.monotonic() - began_at:4.0f} of {plan.seconds:.0f} s: {done} operations, {faults} faults")

    reporting = asyncio.create_task(report())
    try:
        yield
    finally:
        reporting.cancel()


async def _hits_return(client: Client, crowd: Crowd) -> list[Violation]:
    """Read new tickets until each instance has served a hit, as it must after the last fault.

    The tickets are new, because an abandoned write leaves a floor, below which nothing is stored until it expires.
    """
    for _ in range(_NEW_TICKETS):
        ticket_id = (await client.open_ticket()).ticket_id
        assert ticket_id is not None
        deadline = time.monotonic() + RECOVERY_TIMEOUT_S
        missing = {each.number: each for each in crowd.instances}
        while missing:
            read = await client.look_at(ticket_id)
            if read.how.endswith("hit"):
                missing.pop(read.instance, None)
            if time.monotonic() > deadline:
                silent = {number: each.cache.unresponsive_shards for number, each in missing.items()}
                message = f"no hit {RECOVERY_TIMEOUT_S} s after the last fault; nodes with an open breaker: {silent}"
                return [Violation(ticket_id, message, read.ended_at)]
            await asyncio.sleep(0.005)
    return []


def _counters(instances: list[Instance]) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in instances:
        counters = each.cache.counters
        total.update({name: getattr(counters, name) for name in counters.__slots__})
    return total


async def _finals(dsn: str) -> dict[int, Final]:
    """Return the final state of each ticket in the database."""
    connection = await asyncpg.connect(dsn)
    try:
        tickets = await connection.fetch("SELECT id, version, status, subject, comment_count FROM tickets")
        events = await connection.fetch("SELECT ticket_id, version, data FROM ticket_events ORDER BY 1, 2")
        comments = await connection.fetch("SELECT id, ticket_id, text FROM comments ORDER BY id")
    finally:
        await connection.close()
    texts = {row["id"]: row["text"] for row in comments}
    events_of: dict[int, list[tuple[int, dict[str, object]]]] = {row["id"]: [] for row in tickets}
    comments_of: dict[int, list[str]] = {row["id"]: [] for row in tickets}
    for row in events:
        events_of[row["ticket_id"]].append((row["version"], json.loads(row["data"])))
    for row in comments:
        comments_of[row["ticket_id"]].append(row["text"])
    finals = {}
    for row in tickets:
        its, texts_of = events_of[row["id"]], comments_of[row["id"]]
        last = texts_of[-1] if texts_of else None
        state = State(row["status"], row["subject"], row["comment_count"], last)
        rows = [_event(version, data, texts, _first_subject(its, row["subject"])) for version, data in its]
        finals[row["id"]] = Final(row["id"], row["version"], state, rows, texts_of)
    return finals


def _event(version: int, data: dict[str, object], texts: dict[int, str], first_subject: str) -> Event:
    moved: tuple[str, str] | None = None
    match data.get("status"):
        case {"from": str(before), "to": str(after)}:
            moved = (before, after)
    match data:
        case {"comment_id": int(comment_id)}:
            return Event(version, texts.get(comment_id), is_comment=True, moved=moved)
        case {"subject": {"to": str(subject)}}:
            return Event(version, subject, moved=moved)
        case _:
            return Event(version, first_subject if version == 1 else None, moved=moved)


def _first_subject(events: list[tuple[int, dict[str, object]]], now: str) -> str:
    for _, data in events:
        match data.get("subject"):
            case {"from": str(subject)}:
                return subject
    return now
