"""The command that runs the service.

    python src/serve.py     with the settings of .env.example; ./entrypoint.sh runs it

It starts the servers that are not configured, migrates the database, refuses an unprotected service on the network, and
runs uvicorn: with one worker in this process, with several as child processes. When it ends, it stops everything that
it started.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from functools import partial
from threading import Thread
from types import FrameType
from typing import Final, NoReturn

from commands import uvicorn_process
from commands.start_checks import (
    CannotServe,
    ensure_port_is_free,
    ensure_protected,
    load_settings,
    migrate_database,
)
from core import logs, shared_metrics
from core.metrics_collector import MetricsCollector
from core.output import Output
from core.settings import Settings
from db.embedded import EmbeddedServers, ServerDidNotStart

WATCH_EVERY_S: Final = 0.5
_CONFIGURED_DATABASE: Final = "the database of DATABASE_DSN"

_log = logging.getLogger(__name__)


def main() -> None:
    """Serve until a signal stops the service. Exits with status 1 and one line of explanation if it cannot serve."""
    logging.basicConfig(format="tickets: %(message)s")
    for variable in (shared_metrics.VARIABLE, "PROMETHEUS_MULTIPROC_DIR"):
        os.environ.pop(variable, None)
    try:
        settings = load_settings()
        logs.configure(settings)
        ensure_port_is_free(settings)
        is_configured = settings.database_dsn is not None and settings.redis_host is not None
        embedded = None if is_configured else EmbeddedServers(settings)
        if settings.workers == 1:
            _run_uvicorn(settings, embedded)
        else:
            _supervise_uvicorn(settings, embedded)
    except (CannotServe, ServerDidNotStart) as reason:
        Output(sys.stderr).write_line(f"tickets: {reason}")
        sys.exit(1)


def _run_uvicorn(settings: Settings, embedded: EmbeddedServers | None) -> None:
    """Run uvicorn in this process, and the embedded servers, if any, as child processes, until a signal comes."""
    stop_signals = _StopSignals()
    with ExitStack() as stack:
        settings, data = _prepare(settings, embedded, stack)
        if embedded is None:
            _print_addresses(settings, data)
        else:
            watch = partial(_announce_and_watch, settings, data, embedded)
            Thread(target=watch, name="embedded-servers", daemon=True).start()
        stop_signals.is_serving = True
        uvicorn_process.run(settings)


def _supervise_uvicorn(settings: Settings, embedded: EmbeddedServers | None) -> None:
    """Run uvicorn, and the embedded servers if any, as child processes until uvicorn ends or a signal comes."""
    stop_signals = _StopSignals()
    with ExitStack() as stack:
        settings, data = _prepare(settings, embedded, stack)
        if (collector := _metrics_collector()) is not None:
            stack.callback(collector.close)
        process = uvicorn_process.start(settings)
        stop_signals.process = process
        stack.callback(lambda: uvicorn_process.stop(process, settings, is_interrupt=stop_signals.is_interrupt))
        if collector is not None:
            collector.start()  # a thread, hence after the fork; workers that are faster wait for it
        uvicorn_process.wait_until_ready(settings, process)
        _print_addresses(settings, data)
        _watch(process, embedded)


def _prepare(settings: Settings, embedded: EmbeddedServers | None, stack: ExitStack) -> tuple[Settings, str]:
    """Start the embedded servers, migrate and check; return the settings with the servers, and where the data is."""
    data = _CONFIGURED_DATABASE if settings.database_dsn is not None else str(settings.data_dir)
    if embedded is not None:
        stack.enter_context(embedded)
        os.environ.update(embedded.settings)
        settings = load_settings()
    migrate_database(settings)
    ensure_protected(settings)
    return settings, data


class _StopSignals:
    """Handles the signals that stop the service, from its creation on.

    The first signal raises SystemExit, which stops everything in order. Any further signal goes to uvicorn, where it
    ends the shutdown delay; it does not interrupt the shutdown of this process. While uvicorn runs in this process,
    which `is_serving` says, it handles SIGINT and SIGTERM itself, and SIGHUP is handled like SIGTERM.
    """

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.is_serving = False
        self._first: int | None = None
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self._handle)

    @property
    def is_interrupt(self) -> bool:
        """Whether the first signal was that of Ctrl-C."""
        return self._first == signal.SIGINT

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if self.is_serving and signum == signal.SIGHUP:
            signal.raise_signal(signal.SIGTERM)
        elif self._first is None:
            self._first = signum
            sys.exit(0)
        elif self.process is not None and self.process.poll() is None:
            # To the whole group: the parent of the workers waits for them and ignores a second signal.
            os.killpg(self.process.pid, signal.SIGTERM)


def _metrics_collector() -> MetricsCollector | None:
    """Return the collector of the workers' metrics; None if it cannot be made."""
    try:
        collector = MetricsCollector()
    except OSError as error:
        _log.warning("cannot make a socket for metrics: /metrics shows one worker at a time: %s", error)
        return None
    os.environ[shared_metrics.VARIABLE] = collector.address
    return collector


def _print_addresses(settings: Settings, data: str) -> None:
    url = uvicorn_process.url(settings)
    text = f"\n  API   {url}/tickets\n  Docs  {url}/docs\n  Data  {data}\n\nCtrl-C stops."
    Output(sys.stdout).write_line(text)


def _announce_and_watch(settings: Settings, data: str, embedded: EmbeddedServers) -> NoReturn:
    """Print the addresses when the service is ready, and restart embedded servers that end."""
    uvicorn_process.wait_until_ready(settings)
    _print_addresses(settings, data)
    while True:
        time.sleep(WATCH_EVERY_S)
        embedded.restart_ended()


def _watch(process: subprocess.Popen[bytes], embedded: EmbeddedServers | None) -> NoReturn:
    """Restart embedded servers that end, until uvicorn ends or a signal stops this process."""
    while process.poll() is None:
        time.sleep(WATCH_EVERY_S)
        if embedded is not None:
            embedded.restart_ended()
    raise CannotServe(f"uvicorn ended with status {process.returncode}; the log lines above say why")
