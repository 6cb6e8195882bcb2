"""One run for the readers of events: writers, readers of every kind, faults of everything, and the verdict.

Afterwards, with everything healthy and after a bounded wait, each reader has everything that it may see.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from chaos.clients import Client, Crowd
from chaos.event_verdict import errors_in, has_everything, logged_events, violations
from chaos.faults import ClusterFaults
from chaos.history import History
from chaos.hooks import ChaoticReceiver, Hook, check_states, switch_on
from chaos.instances import Instance, instance_in_process, mortal_instance
from chaos.process_faults import ProcessFaults
from chaos.readers import Calm, EventReader, PageReader, StreamReader
from chaos.reading import Detail, Reading
from chaos.service_faults import ServiceFaults, WorkerProcess
from chaos.storm import Plan, dice, progress_printed
from chaos.team import REQUESTERS, Team
from core.settings import Settings
from db.embedded import EmbeddedPostgres
from db.postgres.database import Database
from models import Role
from services.access.api_keys import ApiKeys
from support.factories import a_ticket, settings_for
from support.replicated_valkey import ReplicatedValkey
from webhooks.receiver import running_receiver

SERVICES: Final = 2
WORKERS: Final = 2
TEAMS: Final = 2
# The workers publish and deliver, with their shorter schedule.
ENVIRONMENT: Final = {"WORK": "off", "WEBHOOK_ALLOW": "127.0.0.0/8"}
SETTLE_TIMEOUT_S: Final = 60
# What a reader must not get comes as soon as what it must.
_LEAK_WAIT_S: Final = 0.5
_ALICE, _BOB, _CAROL = REQUESTERS

Headers = dict[str, str]


@dataclass(slots=True)
class EventReport:
    """The result of a run. `settled_s` is the time from the end of the storm until each reader had everything."""

    history: History = field(default_factory=History)
    readings: list[Reading] = field(default_factory=list)
    events: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    settled_s: float = 0
    violations: list[str] = field(default_factory=list)


async def event_storm(
    postgres: EmbeddedPostgres, valkey: ReplicatedValkey, plan: Plan, folder: Path, progress: Callable[[str], None]
) -> EventReport:
    """Run a plan on the migrated database of a server and on a formed cluster, which it harms.

    The logs go to `folder`.
    """
    random.seed(plan.seed)
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in valkey.nodes)
    settings = settings_for(
        postgres.dsn, hosts, valkey.port, database_pool_size=10, work="off", webhook_allow="127.0.0.0/8"
    )
    storm = _Storm(postgres, valkey, plan, settings, folder, EventReport())
    async with AsyncExitStack() as stack:
        await storm.prepare(stack)
        async with progress_printed(storm.report.history, plan, progress):
            await storm.rage()
        await storm.settle()
        storm.end()
    return storm.report


class _Storm:
    """The parts of one run, in the order of their methods."""

    def __init__(
        self,
        postgres: EmbeddedPostgres,
        valkey: ReplicatedValkey,
        plan: Plan,
        settings: Settings,
        folder: Path,
        report: EventReport,
    ) -> None:
        self.report = report
        self._postgres, self._valkey, self._plan, self._settings = postgres, valkey, plan, settings
        self._folder = folder
        self._calm = Calm()
        self._workers: list[WorkerProcess] = []
        self._services: list[Instance] = []
        self._instances: list[Instance] = []
        self._hooks: list[Hook] = []
        self._readers: list[asyncio.Task[None]] = []
        self._keys: dict[str, Headers] = {}
        self._followed = 0

    async def prepare(self, stack: AsyncExitStack) -> None:
        """Start the processes, and the readers from the start of the empty log."""
        self._keys = await _keys(self._settings)
        ports = [node.port for node in self._valkey.nodes]
        self._workers = [WorkerProcess(self._folder / f"worker-{n}.log", self._settings) for n in range(WORKERS)]
        starting = [
            instance_in_process(self._settings, n, self._folder / f"events-{n}.log", ports, **ENVIRONMENT)
            for n in range(SERVICES)
        ]
        _, self._services = await asyncio.gather(
            asyncio.gather(*(stack.enter_async_context(worker) for worker in self._workers)),
            asyncio.gather(*(stack.enter_async_context(each) for each in starting)),
        )
        mortal = mortal_instance(self._settings, SERVICES, ports, dice(self._plan, "mortal instance"))
        self._instances = [*self._services, await stack.enter_async_context(mortal)]
        receiver = ChaoticReceiver(
            await stack.enter_async_context(running_receiver()), dice(self._plan, "receiver"), self._calm
        )
        for name, reading in _hook_readings():
            hook = await receiver.add(self._services[0].client, self._keys["admin"], reading, f"key:{name}")
            self._hooks.append(hook)
        self._followed = await self._open_ticket(self._services[0])
        for reader in self._event_readers():
            self.report.readings.append(reader.reading)
            self._readers.append(asyncio.create_task(reader.run()))
        self.report.readings += [hook.reading for hook in self._hooks]
        stack.push_async_callback(self._stop_readers)

    async def rage(self) -> None:
        """Let the writers and the faults run."""
        plan, report = self._plan, self.report
        crowd = Crowd(self._instances, operations=report.history.operations, faults=report.faults)
        clients = [Client(f"e{n}", dice(plan, f"writer {n}"), crowd) for n in range(plan.clients)]
        await clients[0].open_ticket()
        cluster = ClusterFaults(self._valkey, self._settings, dice(plan, "events: cluster"), report.history)
        processes = ProcessFaults(self._instances, dice(plan, "events: processes"), report.history)
        faults = ServiceFaults(self._postgres, self._workers, processes, dice(plan, "events: services"), report.history)
        until = time.monotonic() + plan.seconds
        self._hooks[0].gone_at = time.monotonic() + plan.seconds / 2
        async with asyncio.TaskGroup() as group:
            group.create_task(cluster.harm_nodes(until=until))
            group.create_task(cluster.delete_keys(crowd.tickets, until=until))
            group.create_task(processes.cut_connections(until=until))
            group.create_task(faults.harm(until=until))
            for client in clients:
                group.create_task(client.run(until=until))
            for n in range(TEAMS):
                team = Team(crowd, self._followed, dice(plan, f"team {n}"), report.writes, report.violations)
                group.create_task(team.run(until=until))
        report.faults.update(each.name for each in report.history.faults)

    async def settle(self) -> None:
        """Wait until each reader has everything, which also has to arrive live, and judge."""
        self._calm.is_calm = True
        began_at = time.monotonic()
        admin, client = self._keys["admin"], self._services[0].client
        await switch_on(client, admin, self._hooks[0])
        sql = await asyncpg.connect(self._postgres.dsn)
        try:
            if await self._everything_arrives(sql, began_at, until=began_at + SETTLE_TIMEOUT_S + self._plan.seconds):
                for instance in self._services:
                    await self._open_ticket(instance)
                await self._everything_arrives(sql, began_at, until=time.monotonic() + SETTLE_TIMEOUT_S)
            self.report.settled_s = time.monotonic() - began_at
            await asyncio.sleep(_LEAK_WAIT_S)
            await check_states(client, admin, self._hooks)
            self.report.violations += [f"a reader ended: {task}" for task in self._readers if task.done()]
            self.report.violations += await violations(sql, self.report.readings, self.report.history.operations)
            self.report.events = await sql.fetchval("SELECT count(*) FROM event_log")
        finally:
            await sql.close()

    def end(self) -> None:
        """Kill the processes, which is quicker than to stop them, and add what they logged as errors."""
        for number, worker in enumerate(self._workers):
            worker.kill()
            self.report.violations += errors_in(f"worker {number}", worker.log)
        for instance in self._services:
            assert instance.service is not None
            instance.service.kill()
            self.report.violations += errors_in(f"instance {instance.number}", instance.service.log)

    async def _everything_arrives(self, sql: asyncpg.Connection, began_at: float, *, until: float) -> bool:
        while time.monotonic() < until:
            log = await logged_events(sql)
            waiting = [each for each in self.report.readings if log is None or not has_everything(each, log)]
            for reading in self.report.readings:
                if reading.complete_s is None and reading not in waiting:
                    reading.complete_s = time.monotonic() - began_at
            if not waiting:
                return True
            await asyncio.sleep(0.2)
        return False

    async def _open_ticket(self, instance: Instance) -> int:
        response = await instance.client.post("/tickets", json=a_ticket(email=_ALICE))
        assert response.status_code == 201, response.text
        ticket_id: int = response.json()["id"]
        return ticket_id

    def _event_readers(self) -> Sequence[EventReader]:
        ticket_id = self._followed
        pages = (("agent", None, None), ("alice", _ALICE, None), ("bob", _BOB, None))
        streams = (
            ("agent", None, None),
            ("alice", _ALICE, None),
            ("carol", _CAROL, None),
            ("agent", None, ticket_id),
            ("alice", _ALICE, ticket_id),
        )
        made: list[EventReader] = []
        for kind, name, wanted in ((PageReader, "pages", pages), (StreamReader, "stream", streams)):
            for key, viewer, ticket in wanted:
                title = f"{name} of {key}" + ("" if ticket is None else " about one ticket")
                made.append(
                    kind(
                        Reading(title, viewer, ticket),
                        self._keys[key],
                        self._services,
                        dice(self._plan, title),
                        self._calm,
                    )
                )
        return made

    async def _stop_readers(self) -> None:
        for task in self._readers:
            task.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)


def _hook_readings() -> list[tuple[str, Reading]]:
    """Return the owners of the webhooks with what they may see; the first one is gone in the middle of the storm."""
    return [
        (owner, Reading(f"webhook of {owner}, {detail}", viewer, detail=detail, is_in_log_order=False))
        for owner, viewer, detail in (
            ("agent", None, Detail.THIN),
            ("agent", None, Detail.FULL),
            ("alice", _ALICE, Detail.THIN),
            ("bob", _BOB, Detail.FULL),
        )
    ]


async def _keys(settings: Settings) -> dict[str, Headers]:
    """Create a key for each role and requester, and return their headers by name."""
    assert settings.database_dsn is not None
    database = Database(settings.database_dsn.get_secret_value(), pool_size=1)
    try:
        made = {
            "admin": await ApiKeys(database).create("admin", Role.ADMIN),
            "agent": await ApiKeys(database).create("agent", Role.AGENT),
        }
        for address in REQUESTERS:
            name = address.partition("@")[0]
            made[name] = await ApiKeys(database).create(name, Role.REQUESTER, address)
    finally:
        await database.close()
    return {name: {"Authorization": f"Bearer {key}"} for name, (key, _) in made.items()}
