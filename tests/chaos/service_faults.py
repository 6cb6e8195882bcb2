"""Random faults of PostgreSQL, of workers, and of serving processes, one after the other."""

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import asyncpg

from chaos.history import History
from chaos.process_faults import ProcessFaults
from core.settings import Settings
from db.embedded import EmbeddedPostgres
from support.service_process import START_TIMEOUT_S, ServiceProcess

_PROGRAM: Final = Path(__file__).with_name("working.py")
_STARTED: Final = "the worker runs"
_POLL_INTERVAL_S: Final = 0.05
_END_SESSIONS: Final = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.7
"""


class WorkerProcess(ServiceProcess):
    """A worker with the schedule of working.py, which requests loopback addresses. Entering it starts it."""

    def __init__(self, log: Path, settings: Settings) -> None:
        source = Path(__file__).resolve().parents[2] / "src"
        command = (sys.executable, _PROGRAM)
        super().__init__(
            log, settings, command=command, PYTHONPATH=str(source), WEBHOOK_ALLOW="127.0.0.0/8", LOG_FORMAT="json"
        )

    def start(self) -> None:
        """Start the process and return when it works."""
        starts = self.output.count(_STARTED) + 1 if self._log.exists() else 1
        self.launch()
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.output.count(_STARTED) < starts:
            assert self.is_running, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(_POLL_INTERVAL_S)


@dataclass
class ServiceFaults:
    """Causes the faults and records them. At the end of each, everything runs as before."""

    postgres: EmbeddedPostgres
    workers: Sequence[WorkerProcess]
    processes: ProcessFaults
    dice: Random
    history: History

    async def harm(self, *, until: float) -> None:
        """Cause one fault after the other until a time of `time.monotonic()`, each kind once before the next round."""
        faults: tuple[Callable[[], Awaitable[None]], ...] = (
            self._kill_postgres,
            self._kill_worker,
            self.processes.kill_one,
            self._restart_postgres,
            self._freeze_worker,
            self.processes.freeze_one,
            self._end_sessions,
            self._kill_all_workers,
        )
        while True:
            for fault in self.dice.sample(faults, len(faults)):
                await asyncio.sleep(self.dice.uniform(0.1, 1.5))
                if time.monotonic() > until:
                    return
                await fault()

    async def _kill_postgres(self) -> None:
        with self.history.during("PostgreSQL killed"):
            self.postgres.kill()
            await asyncio.sleep(self.dice.uniform(0, 1))
            await asyncio.to_thread(self.postgres.start)

    async def _restart_postgres(self) -> None:
        with self.history.during("PostgreSQL restarted"):
            await asyncio.to_thread(self.postgres.stop)
            await asyncio.to_thread(self.postgres.start)

    async def _end_sessions(self) -> None:
        with self.history.during("most sessions of PostgreSQL ended"):
            connection = await asyncpg.connect(self.postgres.dsn)
            await connection.execute(_END_SESSIONS)
            await connection.close()

    async def _kill_worker(self) -> None:
        await self._kill([self.dice.choice(self.workers)], "worker killed")

    async def _kill_all_workers(self) -> None:
        await self._kill(self.workers, "every worker killed")

    async def _kill(self, workers: Sequence[WorkerProcess], name: str) -> None:
        with self.history.during(name):
            for worker in workers:
                worker.kill()
            await asyncio.sleep(self.dice.uniform(0, 1))
            await asyncio.gather(*(asyncio.to_thread(worker.start) for worker in workers))

    async def _freeze_worker(self) -> None:
        """Freeze a worker, sometimes for so long that its claims expire."""
        worker = self.dice.choice(self.workers)
        with self.history.during("worker frozen"):
            worker.send_signal(signal.SIGSTOP)
            try:
                await asyncio.sleep(self.dice.choice([self.dice.uniform(0.1, 1), self.dice.uniform(3, 5)]))
            finally:
                worker.send_signal(signal.SIGCONT)
