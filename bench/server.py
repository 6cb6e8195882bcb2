"""A web server under measurement: what it costs the machine."""

import http.client
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from signal import SIGTERM
from typing import Final

import psutil

from db.embedded.process import stop

TIMEOUT_S: Final = 20
_READY_WITHIN_S: Final = 30


class ServerFailed(Exception):
    """A server under measurement is not there."""


@dataclass(frozen=True)
class Server:
    """A web server under measurement. `key` is what its clients send, None where it is asked for nothing."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    key: str | None
    database: psutil.Process | None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def cpu_s(self) -> float:
        """The processor time of all its processes until now."""
        return _cpu_s(psutil.Process(self.process.pid))

    @property
    def database_cpu_s(self) -> float:
        """The processor time of PostgreSQL's processes until now."""
        return 0 if self.database is None else _cpu_s(self.database)

    @property
    def worker_megabytes(self) -> list[float]:
        """What each process that serves holds in memory now."""
        tree = _tree(psutil.Process(self.process.pid))
        workers = [process for process in tree if "spawn_main" in " ".join(process.cmdline())] or tree
        return [process.memory_info().rss / 1e6 for process in workers]

    def wait_until_ready(self, path: str = "/readyz") -> None:
        """Return when it answers."""
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self._answers(path):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} did not become ready; see its log")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it."""
        stop(self.process, with_signal=SIGTERM, timeout_s=TIMEOUT_S)

    def _answers(self, path: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _tree(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _cpu_s(process: psutil.Process) -> float:
    total = 0.0
    for each in _tree(process):
        with suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            # What ended meanwhile is in its parent's account.
            total += times.user + times.system + times.children_user + times.children_system
    return total
