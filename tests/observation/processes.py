"""The service in processes of its own, with what it says kept apart by where it says it."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from core.settings import ROOT, Settings
from db.embedded.process import free_port

SERVE = (sys.executable, ROOT / "src" / "serve.py")
WITHIN_S = 30

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Running:
    """A service that was started for a test; `said` is the file with its stderr."""

    def __init__(
        self, settings: Settings, said: Path, *, command: Sequence[str | Path] = SERVE, **environment: str
    ) -> None:
        assert settings.database_dsn is not None
        self.port, self.said = free_port(), said
        given = {
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "DATABASE_DSN": settings.database_dsn.get_secret_value(),
            "REDIS_HOST": settings.redis_host or "",
            "REDIS_PORT": str(settings.redis_port),
            "REDIS_PREFIX": settings.redis_prefix,
            "PORT": str(self.port),
        }
        with said.open("w") as stderr:
            self.process = subprocess.Popen(
                command,
                env=given | environment,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Ask on a connection of its own, which any of the workers may accept."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            kind = {"Content-Type": "application/json"} if body is not None else {}
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, kind | (headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def metrics(self) -> Samples:
        status, body = self.ask("GET", "/metrics")
        assert status == 200
        return samples_of(body.decode())

    def lines(self) -> list[dict[str, Any]]:
        """What was said so far, all of which has to be JSON."""
        return [json.loads(line) for line in self.said.read_text().splitlines()]

    def requests_told(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["logger"] == "api.middleware.access_log"]

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not self._is_ready():
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() < deadline, self.said.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)
            raise

    def _is_ready(self) -> bool:
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except OSError:
            return False


@contextmanager
def started(
    settings: Settings, said: Path, *, command: Sequence[str | Path] = SERVE, **environment: str
) -> Iterator[Running]:
    """Lend a running service."""
    running = Running(settings, said, command=command, **environment)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.stop()


def samples_of(text: str) -> Samples:
    """Return every sample, by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """Return the sum of the samples of that name that have these labels."""
    return sum(
        number
        for (found, having), number in samples.items()
        if found == name and labels.items() <= dict(having).items()
    )


def names(samples: Samples) -> set[str]:
    return {name for name, _ in samples}
