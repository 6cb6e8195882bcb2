"""uvicorn, the web server: its options, its start in this process or in another, its readiness, and its stop."""

import http.client
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn

from commands.start_checks import CannotServe
from core.settings import Settings
from db.embedded import process as child

SOURCE: Final = Path(__file__).parents[1]
READY_TIMEOUT_S: Final = 30
MIN_GRACEFUL_SHUTDOWN_S: Final = 10
# On top of REQUEST_TIMEOUT: a request that reaches its deadline still has to send its response.
RESPONSE_TIMEOUT_S: Final = 2
# On top of the graceful shutdown, before uvicorn is killed.
KILL_MARGIN_S: Final = 5
_FLAGS: Final = ("--no-access-log", "--no-server-header", "--ws=none")


def run(settings: Settings) -> None:
    """Run uvicorn with one worker in this process until a signal stops it. Exits with status 3 if it cannot start."""
    uvicorn.main.main(_options(settings), standalone_mode=False)


def _options(settings: Settings) -> list[str]:
    """Return the options with which uvicorn runs the application."""
    options = {
        "--app-dir": str(SOURCE),
        "--host": settings.host,
        "--port": str(settings.port),
        "--http": "api.http.connection:Connection",
        "--workers": str(settings.workers),
        "--timeout-graceful-shutdown": str(_graceful_shutdown_s(settings)),
        "--log-config": str(SOURCE / "log_config.json"),
        "--log-level": settings.log_level,
    }
    arguments = [part for option in options.items() for part in option]
    return ["main:create_app", "--factory", *_FLAGS, *arguments]


def start(settings: Settings) -> subprocess.Popen[bytes]:
    """Start uvicorn as a child process, in a process group of its own."""
    return child.spawn([sys.executable, "-m", "uvicorn", *_options(settings)])


def wait_until_ready(settings: Settings, *, status: Callable[[], int | None]) -> None:
    """Return when `/readyz` responds with 200.

    Raises CannotServe after 30 s, and when uvicorn ends before: `status` returns its exit status then, and else None.
    """
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not _is_ready(settings):
        if (ended_with := status()) is not None:
            raise CannotServe(f"uvicorn ended with status {ended_with}; the log lines above say why")
        if time.monotonic() > deadline:
            raise CannotServe(f"the service was not ready within {READY_TIMEOUT_S} s; the log lines above say why")
        time.sleep(0.05)


def stop(process: subprocess.Popen[bytes], settings: Settings, *, is_interrupt: bool) -> None:
    """Stop uvicorn gracefully, or kill it when that takes too long. With `is_interrupt`, skip SHUTDOWN_DELAY."""
    if is_interrupt and process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)  # to the group, as the terminal sends Ctrl-C
    timeout_s = settings.shutdown_delay + _graceful_shutdown_s(settings) + KILL_MARGIN_S
    child.stop(process, with_signal=signal.SIGTERM, timeout_s=timeout_s)


def url(settings: Settings) -> str:
    """Return the URL of the service as seen from this machine."""
    host = _reachable_host(settings)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _graceful_shutdown_s(settings: Settings) -> int:
    return max(MIN_GRACEFUL_SHUTDOWN_S, math.ceil(settings.request_timeout) + RESPONSE_TIMEOUT_S)


def _is_ready(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(_reachable_host(settings), settings.port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _reachable_host(settings: Settings) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
