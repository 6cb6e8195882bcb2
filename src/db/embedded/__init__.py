"""Embedded servers: PostgreSQL and Valkey that are started when none are configured, and stopped at the end."""

import fcntl
import importlib.util
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from core.settings import Settings, async_dsn
from db.embedded.postgres import EmbeddedPostgres, running_dsn
from db.embedded.process import SETTING_INSTEAD_OF, ServerDidNotStart
from db.embedded.valkey import EmbeddedValkey

__all__ = ["EmbeddedPostgres", "EmbeddedServers", "EmbeddedValkey", "ServerDidNotStart", "postgres_dsn"]

_log = logging.getLogger(__name__)


class EmbeddedServers(AbstractContextManager["EmbeddedServers"]):
    """Runs PostgreSQL unless DATABASE_DSN is set, and Valkey unless REDIS_HOST is set, for the duration of the context.

    `settings` contains the environment variables by which the service connects to them. Entering the context raises
    ServerDidNotStart, also when another process uses the same data.
    """

    def __init__(self, configured: Settings) -> None:
        self._configured = configured
        self._stack = ExitStack()
        self._servers: list[EmbeddedPostgres | EmbeddedValkey] = []
        self.settings: dict[str, str] = {}

    def __enter__(self) -> Self:
        _ensure_installed(self._configured)  # before the data folder is made, which a container does not permit
        with ExitStack() as stack:
            folder = self._configured.data_dir
            stack.enter_context(_exclusive_lock(folder))
            # Valkey first: a new cluster accepts commands after two seconds; meanwhile PostgreSQL starts.
            if self._configured.redis_host is None:
                valkey = EmbeddedValkey(folder / "valkey")
                self._start(valkey, stack)
                self.settings |= {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(valkey.port)}
            if self._configured.database_dsn is None:
                postgres = EmbeddedPostgres(folder / "postgres")
                self._start(postgres, stack)
                self.settings["DATABASE_DSN"] = postgres.dsn
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def restart_ended(self) -> None:
        """Restart each server that has ended; the next call tries again what does not start now."""
        for server in self._servers:
            if not server.is_running:
                _log.warning("%s ended; restarting it", type(server).__name__)
                try:
                    server.start()
                except (ServerDidNotStart, OSError) as error:  # OSError: a file of the server cannot be written
                    _log.warning("%s", error)

    def _start(self, server: EmbeddedPostgres | EmbeddedValkey, stack: ExitStack) -> None:
        self._servers.append(server)
        stack.callback(server.stop)
        server.start()


@contextmanager
def postgres_dsn(settings: Settings) -> Iterator[str]:
    """Yield the DSN of the configured PostgreSQL, or of the embedded one, which is started if it does not run."""
    if settings.database_dsn is not None:
        yield settings.database_dsn.get_secret_value()
    elif (dsn := running_dsn(settings.data_dir / "postgres")) is not None:
        yield async_dsn(dsn)
    else:
        with EmbeddedServers(settings) as servers:
            yield async_dsn(servers.settings["DATABASE_DSN"])


def _ensure_installed(settings: Settings) -> None:
    """Raise ServerDidNotStart, with the settings to use instead, unless the needed embedded servers are installed."""
    needed = {name for name in ("DATABASE_DSN", "REDIS_HOST") if getattr(settings, name.lower()) is None}
    installed = {name for package, name in SETTING_INSTEAD_OF.items() if importlib.util.find_spec(package)}
    if missing := sorted(needed - installed):
        raise ServerDidNotStart(f"{' and '.join(missing)} must be set: no embedded server is installed here")


@contextmanager
def _exclusive_lock(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise ServerDidNotStart(f"DATA_DIR can not be used: {error}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServerDidNotStart(f"the data in {folder} is in use by another instance; stop it first") from None
        yield
