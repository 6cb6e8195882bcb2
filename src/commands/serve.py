"""Running the service: start what is missing, migrate, serve, and stop it all in order.

    python src/serve.py     with the settings of .env.example; ./entrypoint.sh calls it

When everything is configured and one worker serves, uvicorn takes this process's place. When servers have to be
started, or several workers, this process stays as their parent, and everything it started ends with it.
"""

import asyncio
import http.client
import logging
import math
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from alembic.util import CommandError
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from core import logs
from core import multiprocess_metrics as metrics_folder
from core.client_address import is_loopback
from core.errors import DatabaseUnavailable
from core.settings import Settings, describe_errors
from db.embedded import EmbeddedServers, ServerDidNotStart
from db.embedded.process import spawn, stop
from db.postgres.database import Database, wait_until_reachable
from db.postgres.migrations import migrate
from services.access.api_keys import ApiKeys

SOURCE: Final = Path(__file__).parents[1]
READY_WITHIN_S: Final = 30
GRACEFUL_SHUTDOWN_S: Final = 10
# What was begun at the last moment has its time, and the answer has to be sent.
ANSWERED_WITHIN_S: Final = 2
WATCH_EVERY_S: Final = 0.5
_QUIET: Final = ("--no-access-log", "--no-server-header", "--ws=none")

_log = logging.getLogger(__name__)


class CannotServe(Exception):
    """Why the service does not run, in one line for the person at the terminal."""


def main() -> None:
    """Serve until told to stop. Exits with status 1 and one clear line when that is not possible."""
    logging.basicConfig(format="tickets: %(message)s")
    try:
        settings = _settings()
        logs.configure(settings)
        _serve(settings)
    except (CannotServe, ServerDidNotStart) as reason:
        sys.exit(f"tickets: {reason}")


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        raise CannotServe(describe_errors(error)) from None


def _serve(settings: Settings) -> None:
    _refuse_busy_port(settings)
    is_configured = settings.database_dsn is not None and settings.redis_host is not None
    if is_configured and settings.workers == 1:
        _migrate(settings)
        _refuse_open_doors(settings)
        _share_metrics(settings)
        _tell_where(settings, "where DATABASE_DSN says")
        os.execv(sys.executable, _uvicorn(settings))
    signals = _Signals()
    with ExitStack() as stack:
        servers = None if is_configured else stack.enter_context(EmbeddedServers(settings))
        data = str(settings.data_dir) if settings.database_dsn is None else "where DATABASE_DSN says"
        if servers is not None:
            os.environ.update(servers.settings)
            settings = _settings()
        _migrate(settings)
        _refuse_open_doors(settings)
        if folder := _share_metrics(settings):
            stack.callback(metrics_folder.remove, folder)
        uvicorn = spawn(_uvicorn(settings))
        signals.uvicorn = uvicorn
        stack.callback(_stop_uvicorn, uvicorn, signals, settings)
        _wait_until_ready(settings, uvicorn)
        _tell_where(settings, data)
        _watch(servers, uvicorn)


class _Signals:
    """The first signal ends this process in order; one that follows is handed on, and nothing is delayed any more.

    It must not interrupt the stopping of what the first one stops.
    """

    def __init__(self) -> None:
        self.first: int | None = None
        self.uvicorn: subprocess.Popen[bytes] | None = None
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self._take)

    def _take(self, signum: int, _frame: FrameType | None) -> None:
        if self.first is None:
            self.first = signum
            sys.exit(0)
        if self.uvicorn is not None and self.uvicorn.poll() is None:
            # To the workers as well: their parent waits for them, and takes no second signal.
            os.killpg(self.uvicorn.pid, signal.SIGTERM)


def _refuse_busy_port(settings: Settings) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CannotServe(f"can not listen on {settings.host}:{settings.port} ({reason}); set HOST and PORT") from None


def _migrate(settings: Settings) -> None:
    assert settings.database_dsn is not None  # noqa: S101 - configured or started by now
    dsn = settings.database_dsn.get_secret_value()
    try:
        asyncio.run(wait_until_reachable(dsn, timeout_s=settings.startup_timeout))
        migrate(dsn, timeout_s=settings.migration_timeout)
    except DatabaseUnavailable as error:
        raise CannotServe(f"the database in DATABASE_DSN can not be used: {error}") from None
    except (CommandError, DBAPIError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise CannotServe(f"the database in DATABASE_DSN can not be migrated: {reason}") from None


def _refuse_open_doors(settings: Settings) -> None:
    """Let no service listen to the network that would let everybody in without having been told to."""
    if settings.allow_anonymous or settings.oidc_issuer is not None or is_loopback(settings.host):
        return
    if not asyncio.run(_keys_exist(settings)):
        raise CannotServe(
            f"HOST={settings.host} would let everybody in: make an API key (pipenv run keys create), or set "
            "OIDC_ISSUER and OIDC_AUDIENCE, or say ALLOW_ANONYMOUS=true"
        )


async def _keys_exist(settings: Settings) -> bool:
    assert settings.database_dsn is not None  # noqa: S101 - configured or started by now
    database = Database(settings.database_dsn.get_secret_value(), pool_size=1)
    try:
        return await ApiKeys(database).exist()
    finally:
        await database.close()


def _share_metrics(settings: Settings) -> Path | None:
    """Let several workers count together; one alone counts faster without."""
    os.environ.pop(metrics_folder.VARIABLE, None)
    if settings.workers == 1:
        return None
    try:
        folder = metrics_folder.make()
    except OSError as error:
        _log.warning("each worker tells metrics of itself alone, for want of a temporary folder: %s", error)
        return None
    # When uvicorn takes our place, the next start removes it.
    os.environ[metrics_folder.VARIABLE] = str(folder)
    return folder


def _uvicorn(settings: Settings) -> list[str]:
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
    return [sys.executable, "-m", "uvicorn", "main:create_app", "--factory", *_QUIET, *arguments]


def _graceful_shutdown_s(settings: Settings) -> int:
    return max(GRACEFUL_SHUTDOWN_S, math.ceil(settings.request_timeout) + ANSWERED_WITHIN_S)


def _stop_uvicorn(uvicorn: subprocess.Popen[bytes], signals: _Signals, settings: Settings) -> None:
    if signals.first == signal.SIGINT and uvicorn.poll() is None:
        os.killpg(uvicorn.pid, signal.SIGINT)  # as the terminal would: nobody waits for a load balancer at Ctrl-C
    timeout_s = settings.shutdown_delay + _graceful_shutdown_s(settings) + 5
    stop(uvicorn, with_signal=signal.SIGTERM, timeout_s=timeout_s)


def _wait_until_ready(settings: Settings, uvicorn: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not _is_ready(settings):
        if uvicorn.poll() is not None:
            raise CannotServe(f"uvicorn ended with status {uvicorn.returncode}; see above")
        if time.monotonic() > deadline:
            raise CannotServe(f"the service was not ready within {READY_WITHIN_S} s")
        time.sleep(0.05)


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


def _tell_where(settings: Settings, data: str) -> None:
    host = _reachable_host(settings)
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    print(f"\n  API   {url}/tickets\n  Docs  {url}/docs\n  Data  {data}\n\nCtrl-C stops.", flush=True)


def _watch(servers: EmbeddedServers | None, uvicorn: subprocess.Popen[bytes]) -> NoReturn:
    """Start embedded servers again should they end, until uvicorn ends or a signal comes."""
    while uvicorn.poll() is None:
        time.sleep(WATCH_EVERY_S)
        if servers is not None:
            servers.restart_ended()
    raise CannotServe(f"uvicorn ended with status {uvicorn.returncode}; see above")
