"""A web server under measurement, with its CPU time and memory."""

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
_READY_TIMEOUT_S: Final = 30


class ServerFailed(Exception):
    """A server under measurement did not become ready."""


@dataclass(frozen=True)
class Server:
    """A web server under measurement.

    `key` is the API key that its clients send, and `session` the token of the session that opens its pages, if it
    requires them.
    """

    name: str
    process: subprocess.Popen[bytes]
    port: int
    key: str | None
    database: psutil.Process | None
    session: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers that authenticate its clients."""
        headers = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        return headers if self.session is None else headers | {"Cookie": f"session={self.session}"}

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def cpu_s(self) -> float:
        """The CPU time of all its processes so far."""
        return _cpu_s(psutil.Process(self.process.pid))

    @property
    def database_cpu_s(self) -> float:
        """The CPU time of all processes of PostgreSQL so far."""
        return 0 if self.database is None else _cpu_s(self.database)

    @property
    def worker_megabytes(self) -> list[float]:
        """The resident memory of each worker."""
        tree = _tree(psutil.Process(self.process.pid))
        workers = [process for process in tree if "spawn_main" in " ".join(process.cmdline())] or tree
        return [process.memory_info().rss / 1e6 for process in workers]

    @property
    def megabytes(self) -> float:
        """The resident memory of all its processes but the databases."""
        tree = _tree(psutil.Process(self.process.pid))
        return sum(process.memory_info().rss / 1e6 for process in tree if "python" in process.name())

    def wait_until_ready(self, path: str = "/readyz") -> None:
        """Return when it responds with 200. Raises ServerFailed."""
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not self._responds(path):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} did not become ready; see its log")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it."""
        stop(self.process, with_signal=SIGTERM, timeout_s=TIMEOUT_S)

    def _responds(self, path: str) -> bool:
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
            # Its parent includes the CPU time of processes that have ended.
            total += times.user + times.system + times.children_user + times.children_system
    return total
