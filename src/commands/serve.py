"""The command that runs the service.

    python src/serve.py     with the settings of .env.example; ./entrypoint.sh runs it

It starts the servers that are not configured, migrates the database, refuses an unprotected service on the network, and
starts uvicorn. With PostgreSQL and Redis configured and one worker, uvicorn replaces this process. Otherwise this
process stays as the parent, and stops everything that it started when it ends.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
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
        if is_configured and settings.workers == 1:
            _exec_uvicorn(settings)
        else:
            _supervise_uvicorn(settings, embedded=None if is_configured else EmbeddedServers(settings))
    except (CannotServe, ServerDidNotStart) as reason:
        Output(sys.stderr).write_line(f"tickets: {reason}")
        sys.exit(1)


def _exec_uvicorn(settings: Settings) -> NoReturn:
    migrate_database(settings)
    ensure_protected(settings)
    _print_addresses(settings, data=_CONFIGURED_DATABASE)
    os.execv(sys.executable, uvicorn_process.command(settings))


def _supervise_uvicorn(settings: Settings, embedded: EmbeddedServers | None) -> None:
    """Run uvicorn, and the embedded servers if any, as child processes until uvicorn ends or a signal comes."""
    stop_signals = _StopSignals()
    data = _CONFIGURED_DATABASE if settings.database_dsn is not None else str(settings.data_dir)
    with ExitStack() as stack:
        if embedded is not None:
            stack.enter_context(embedded)
            os.environ.update(embedded.settings)
            settings = load_settings()
        migrate_database(settings)
        ensure_protected(settings)
        if (collector := _metrics_collector(settings)) is not None:
            stack.callback(collector.close)
        process = uvicorn_process.start(settings)
        stop_signals.process = process
        stack.callback(lambda: uvicorn_process.stop(process, settings, is_interrupt=stop_signals.is_interrupt))
        if collector is not None:
            collector.start()  # a thread, hence after the fork; workers that are faster wait for it
        uvicorn_process.wait_until_ready(process, settings)
        _print_addresses(settings, data)
        _watch(process, embedded)


class _StopSignals:
    """Handles the signals that stop the service, from its creation on.

    The first signal raises SystemExit, which stops everything in order. Any further signal goes to uvicorn, where it
    ends the shutdown delay; it does not interrupt the shutdown of this process.
    """

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._first: int | None = None
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self._handle)

    @property
    def is_interrupt(self) -> bool:
        """Whether the first signal was that of Ctrl-C."""
        return self._first == signal.SIGINT

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if self._first is None:
            self._first = signum
            sys.exit(0)
        if self.process is not None and self.process.poll() is None:
            # To the whole group: the parent of the workers waits for them and ignores a second signal.
            os.killpg(self.process.pid, signal.SIGTERM)


def _metrics_collector(settings: Settings) -> MetricsCollector | None:
    """Return the collector of the workers' metrics; None for a single worker, which exposes its own."""
    if settings.workers == 1:
        return None
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


def _watch(process: subprocess.Popen[bytes], embedded: EmbeddedServers | None) -> NoReturn:
    """Restart embedded servers that end, until uvicorn ends or a signal stops this process."""
    while process.poll() is None:
        time.sleep(WATCH_EVERY_S)
        if embedded is not None:
            embedded.restart_ended()
    raise CannotServe(f"uvicorn ended with status {process.returncode}; the log lines above say why")
