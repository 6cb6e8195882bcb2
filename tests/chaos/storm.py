"""One run: several instances of the service, clients of all of them, faults, and the verdict."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from chaos.checker import Verdict, Violation, check
from chaos.clients import Client, Crowd
from chaos.faults import ClusterFaults
from chaos.finals import finals, group_marks
from chaos.history import History
from chaos.instances import Instance, instance_in_process, mortal_instance
from chaos.process_faults import ProcessFaults
from support.factories import FAULT, settings_for
from support.replicated_valkey import ReplicatedValkey

PROCESSES: Final = 3
# Two seconds are promised; a busy machine needs longer.
RECOVERY_TIMEOUT_S: Final = 10
# Enough for every node to own some of them.
_NEW_TICKETS: Final = 12


@dataclass(slots=True)
class Report:
    """The result of a run. `recovery_s` is the time from the end of the last fault to hits in every instance."""

    history: History = field(default_factory=History)
    verdict: Verdict = field(default_factory=Verdict)
    faults: Counter[str] = field(default_factory=Counter)
    cache: Counter[str] = field(default_factory=Counter)
    groups_marked_down: int = 0
    recovery_s: float = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The duration and the number of clients. The seed determines the operations and the faults."""

    seed: int
    clients: int
    seconds: float


async def storm(
    dsn: str, valkey: ReplicatedValkey, plan: Plan, folder: Path, progress: Callable[[str], None]
) -> Report:
    """Run a plan on a migrated database and a formed cluster, and check the history. The logs go to `folder`."""
    random.seed(plan.seed)
    report = Report()
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in valkey.nodes)
    settings = settings_for(dsn, hosts, valkey.port, database_pool_size=10)
    ports = [node.port for node in valkey.nodes]
    async with AsyncExitStack() as stack:
        starting = [
            instance_in_process(settings, number, folder / f"instance-{number}.log", ports)
            for number in range(1, PROCESSES + 1)
        ]
        instances = [await stack.enter_async_context(each) for each in starting]
        mortal = mortal_instance(settings, PROCESSES + 1, ports, dice(plan, "mortal instance"))
        instances.append(await stack.enter_async_context(mortal))
        crowd = Crowd(instances, operations=report.history.operations, faults=report.faults)
        clients = [Client(f"c{number}", dice(plan, f"client {number}"), crowd) for number in range(plan.clients)]
        cluster = ClusterFaults(valkey, settings, dice(plan, "cluster"), report.history)
        processes = ProcessFaults(instances, dice(plan, "processes"), report.history)
        # At the same time as the first: two instances are cut off at different moments, and for different times.
        others = ProcessFaults(instances, dice(plan, "other processes"), report.history)
        until = time.monotonic() + plan.seconds
        async with progress_printed(report.history, plan, progress), asyncio.TaskGroup() as group:
            group.create_task(cluster.harm_nodes(until=until))
            group.create_task(cluster.delete_keys(crowd.tickets, until=until))
            group.create_task(processes.cut_connections(until=until))
            group.create_task(others.cut_connections(until=until))
            group.create_task(processes.harm_processes(until=until))
            for client in clients:
                group.create_task(client.run(until=until))
        late_hits = await _hits_return(clients[0], crowd, report)
        for ticket_id in crowd.tickets[:]:
            await clients[0].look_at(ticket_id)
        for each in instances:
            report.cache += await each.cache_events()
    report.groups_marked_down, still_down = await group_marks(dsn)
    report.history.finals = await finals(dsn)
    report.faults.update(each.name for each in report.history.faults)
    report.verdict = check(report.history)
    report.verdict.violations += late_hits
    if still_down:
        report.verdict.violations.append(Violation(None, f"{still_down} groups are still down at the end"))
    report.verdict.violations += _logged(instances)
    return report


def dice(plan: Plan, owner: str) -> Random:
    """Return the random numbers of a part of the storm."""
    return Random(f"{plan.seed} {owner}")  # noqa: S311 - the same seed must give the same run


@asynccontextmanager
async def progress_printed(history: History, plan: Plan, progress: Callable[[str], None]) -> AsyncIterator[None]:
    """Print the progress every ten seconds during the block."""

    async def print_progress() -> None:
        began_at = time.monotonic()
        while True:
            await asyncio.sleep(10)
            done, faults = len(history.operations), len(history.faults)
            progress(f"{time.monotonic() - began_at:4.0f} of {plan.seconds:.0f} s: {done} operations, {faults} faults")

    reporting = asyncio.create_task(print_progress())
    try:
        yield
    finally:
        reporting.cancel()


async def _hits_return(client: Client, crowd: Crowd, report: Report) -> list[Violation]:
    """Read new tickets until each instance has served a hit, as it must after the last fault.

    The tickets are new, because an abandoned write leaves a floor, below which nothing is stored until it expires.
    """
    ended_at = max(each.ended_at for each in report.history.faults)
    for _ in range(_NEW_TICKETS):
        ticket_id = (await client.open_ticket()).ticket_id
        assert ticket_id is not None
        missing = list(crowd.instances)
        while missing:
            read = await client.look_at(ticket_id, missing[0])
            if read.how.endswith("hit"):
                missing.pop(0)
            elif time.monotonic() > ended_at + RECOVERY_TIMEOUT_S:
                silent = [each.number for each in missing]
                message = f"no hit {RECOVERY_TIMEOUT_S} s after the last fault at instances {silent}"
                return [Violation(ticket_id, message, read.ended_at)]
            else:
                await asyncio.sleep(0.005)
    report.recovery_s = time.monotonic() - ended_at
    return []


def _logged(instances: list[Instance]) -> list[Violation]:
    """Return a violation for each error in the logs of the processes."""
    logs = [(each.number, each.service.log) for each in instances if each.service is not None]
    return [
        Violation(None, f"instance {number} logged: {line}")
        for number, log in logs
        for line in log.splitlines()
        if FAULT.search(line)
    ]
