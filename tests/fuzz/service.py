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

    def __init__(self, dsn: str, redis_host: str, redis_port: int, redis_prefix: str) -> None:
        self.port: Final = free_port()
        self.url: Final = f"http://127.0.0.1:{self.port}"
        environment = {
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "DATABASE_DSN": dsn,
            "REDIS_HOST": redis_host,
            "REDIS_PORT": str(redis_port),
            "REDIS_PREFIX": redis_prefix,
            "PORT": str(self.port),
        }
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
    assert settings.database_dsn is not None
    ((host, port), *_) = settings.redis_nodes
    dsn = settings.database_dsn.get_secret_value().replace("+asyncpg", "")
    service = ServiceProcess(dsn, host, port, settings.redis_prefix)
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.stop()
