"""The service in a process of its own, behind a real socket."""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psutil

from core.settings import ROOT, Settings
from db.embedded.process import free_port

_READY_WITHIN_S: Final = 30


class ServiceProcess:
    """A running service: where it listens, what it wrote, how much memory it holds."""

    def __init__(self, settings: Settings) -> None:
        assert settings.database_dsn is not None
        ((host, port), *_) = settings.redis_nodes
        self.port: Final = free_port()
        self.url: Final = f"http://127.0.0.1:{self.port}"
        environment = {
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "DATABASE_DSN": settings.database_dsn.get_secret_value(),
            "REDIS_HOST": host,
            "REDIS_PORT": str(port),
            "REDIS_PREFIX": settings.redis_prefix,
            "ALLOW_ANONYMOUS": str(settings.allow_anonymous),
            "AUTH_FAILURE_LIMIT": "1000000/60s",
            "PORT": str(self.port),
        }
        self.environment: Final = environment
        self._said = tempfile.TemporaryFile("a+", encoding="utf-8", errors="replace")  # noqa: SIM115 - closed by stop()
        # With everything configured, uvicorn takes the place of this very process: its memory is the service's.
        command = [sys.executable, str(ROOT / "src/serve.py")]
        self._process = subprocess.Popen(command, env=environment, stdout=self._said, stderr=subprocess.STDOUT)

    def wait_until_ready(self) -> None:
        """Return when it can work."""
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self.is_ready():
            assert self.is_running, self.output()
            assert time.monotonic() < deadline, "not ready in time"
            time.sleep(0.05)

    def is_ready(self) -> bool:
        """Return whether it says that it can work."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    @property
    def memory(self) -> int:
        """What it holds in memory now, in bytes."""
        return int(psutil.Process(self._process.pid).memory_info().rss)

    @property
    def cpu_s(self) -> float:
        """The processor time that it has used so far, in seconds."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def output(self) -> str:
        """Return what it wrote to the terminal."""
        self._said.seek(0)
        return self._said.read()

    def stop(self) -> None:
        """End it."""
        if self.is_running:
            self._process.terminate()
            self._process.wait(30)
        self._said.close()


@contextmanager
def serving(settings: Settings) -> Iterator[ServiceProcess]:
    """Lend a running service on a database that is migrated and a cluster that is formed."""
    service = ServiceProcess(settings)
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.stop()


def new_key(service: ServiceProcess) -> str:
    """Make an agent's key, as an operator would; from then on the service lets nobody in without one."""
    command = [sys.executable, str(ROOT / "src/keys.py"), "create", "--name", "fuzz", "--role", "agent"]
    return subprocess.run(command, env=service.environment, check=True, capture_output=True, text=True).stdout.strip()
