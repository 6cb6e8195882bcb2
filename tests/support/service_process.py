"""The service in a process of its own, started by the commands that operators use."""

import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import psutil

from core.settings import ROOT, Settings
from db.embedded.process import free_port

SERVE: Final = (sys.executable, ROOT / "src" / "serve.py")
UVICORN: Final = (sys.executable, "-m", "uvicorn", f"--app-dir={ROOT / 'src'}", "--factory", "main:create_app")
ENTRYPOINT: Final = (ROOT / "entrypoint.sh",)

START_TIMEOUT_S: Final = 30
STOP_TIMEOUT_S: Final = 30
_POLL_INTERVAL_S: Final = 0.05
_REQUEST_TIMEOUT_S: Final = 10
# `serve.py` prints it after the addresses.
_LAST_LINE: Final = "Ctrl-C stops."


@dataclass(frozen=True, slots=True)
class Response:
    """A response of the service."""

    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class ServiceProcess:
    """A service on a free port of the loopback address. Entering it starts it, leaving it stops it.

    It gets `settings` and the variables `environment`, which win, and nothing else from the environment of the tests.
    Its stderr is written to `log`, its stdout to a file beside it. Both survive a restart and the end.
    """

    def __init__(
        self,
        log: Path,
        settings: Settings | None = None,
        /,
        *,
        command: Sequence[str | Path] = SERVE,
        **environment: str,
    ) -> None:
        self.port: Final = free_port()
        self.url: Final = f"http://127.0.0.1:{self.port}"
        configured = {} if settings is None else _variables_of(settings)
        own = {"PORT": str(self.port), "DATA_DIR": str(log.parent / "data")}
        self.environment: Final = clean_environment(**(own | configured | environment))
        self._log, self._stdout = log, log.with_name(f"{log.name}.stdout")
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self.is_running:
                self.stop()
        finally:
            self.kill()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.__exit__)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process of the latest start."""
        assert self._process is not None
        return self._process

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    @property
    def memory_bytes(self) -> int:
        """The resident memory. With everything configured and one worker, the process is uvicorn itself."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    @property
    def cpu_s(self) -> float:
        """The processor time so far. With everything configured and one worker, the process is uvicorn itself."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def launch(self) -> None:
        """Start the process and return at once."""
        with self._log.open("ab") as stderr, self._stdout.open("ab") as stdout:
            self._process = subprocess.Popen(
                self._command,
                env=self.environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    def start(self) -> None:
        """Start the process and return when the service is ready."""
        starts = self.output.count(_LAST_LINE) + 1 if self._log.exists() else 1
        self.launch()
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.output.count(_LAST_LINE) < starts or self.status("/readyz") != 200:
            assert self.is_running, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(_POLL_INTERVAL_S)

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Response:
        """Send a request, with a JSON body unless it is None, on a connection of its own: any worker may accept it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_REQUEST_TIMEOUT_S)
        try:
            content = {} if body is None else {"Content-Type": "application/json"}
            encoded = None if body is None else json.dumps(body)
            connection.request(method, path, encoded, content | (headers or {}))
            response = connection.getresponse()
            return Response(response.status, response.read())
        finally:
            connection.close()

    def status(self, path: str) -> int:
        """Return the status of the response to a GET request, or 0 if there is none."""
        try:
            return self.request("GET", path).status
        except (OSError, http.client.HTTPException):
            return 0

    @property
    def log(self) -> str:
        """The text on stderr so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def output(self) -> str:
        """The text on stdout and stderr so far."""
        return self._stdout.read_text(encoding="utf-8", errors="replace") + self.log

    def log_lines(self) -> list[dict[str, Any]]:
        """Return the log so far. Every line of it has to be JSON."""
        return [json.loads(line) for line in self.log.splitlines()]

    def access_log(self) -> list[dict[str, Any]]:
        """Return the lines of the log that describe a request each."""
        return [line for line in self.log_lines() if line["logger"] == "api.middleware.access_log"]

    def logged_request(self, request_id: str) -> dict[str, Any]:
        """Return the one line about a request. Such lines are written shortly after the responses."""
        deadline = time.monotonic() + _REQUEST_TIMEOUT_S
        while not (found := [line for line in self.access_log() if line["request_id"] == request_id]):
            assert time.monotonic() < deadline, self.output
            time.sleep(_POLL_INTERVAL_S)
        (line,) = found
        return line

    def send_signal(self, signum: signal.Signals) -> None:
        """Send a signal to the process."""
        self.process.send_signal(signum)

    def wait(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Return the exit status when the process has ended. Raises TimeoutExpired."""
        return self.process.wait(timeout_s)

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status when the process has ended. Raises TimeoutExpired."""
        self.send_signal(signum)
        return self.wait()

    def kill(self) -> None:
        """End the process at once, if it was started."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def create_admin_key(self) -> str:
        """Create an API key as an operator does. The service then refuses requests without one."""
        made = keys_command(self.environment, "create", "--name", "test", "--role", "admin")
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()


def failed_start(
    log: Path, settings: Settings | None = None, /, *, command: Sequence[str | Path] = SERVE, **environment: str
) -> ServiceProcess:
    """Start a service that must fail to start. Return it when its process has ended."""
    service = ServiceProcess(log, settings, command=command, **environment)
    try:
        service.launch()
        status = service.wait()
    finally:
        service.kill()
    assert status != 0, service.output
    return service


def keys_command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `keys.py` with these arguments."""
    return operator_command("keys.py", environment, *arguments)


def operator_command(
    program: str, environment: dict[str, str], *arguments: str, typed: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of `src` with these arguments, and perhaps with a text on its standard input."""
    command: list[str | Path] = [sys.executable, ROOT / "src" / program, *arguments]
    return subprocess.run(
        command, env=environment, input=typed, capture_output=True, text=True, check=False, timeout=60
    )


def clean_environment(**variables: str) -> dict[str, str]:
    """Return the environment of a process that takes no settings from this machine."""
    inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "VIRTUAL_ENV"}}
    # With it, coverage measures the processes that the tests start.
    inherited |= {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return inherited | {"ENV_FILE": os.devnull} | variables


def _variables_of(settings: Settings) -> dict[str, str]:
    assert settings.database_dsn is not None
    return {
        "DATABASE_DSN": settings.database_dsn.get_secret_value(),
        "REDIS_HOST": settings.redis_host or "",
        "REDIS_PORT": str(settings.redis_port),
        "REDIS_PREFIX": settings.redis_prefix,
        "ALLOW_ANONYMOUS": str(settings.allow_anonymous),
        "AUTH_FAILURE_LIMIT": "1000000/60s",
        "UNDO_SEND": str(settings.undo_send),
    }
