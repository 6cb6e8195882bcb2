"""The command that runs the service.

    python src/serve.py     with the settings of .env.example; ./entrypoint.sh runs it

It starts the servers that are not configured, migrates the database, prints the set-up link until an admin exists, and
runs uvicorn: with one worker in this process, with several as child processes. When it ends, it stops everything that
it started.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Event, Thread
from types import FrameType, TracebackType
from typing import Final, NoReturn, Self

from commands import set_up_link, uvicorn_process
from commands.start_checks import (
    CannotServe,
    adopt_restored_log,
    ensure_port_is_free,
    load_settings,
    migrate_database,
    warn_if_unprotected,
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
        watch = None
        if embedded is None:
            _print_addresses(settings, data)
        else:
            watch = stack.enter_context(_EmbeddedWatch(settings, data, embedded))
        with stop_signals.handled_by_uvicorn():
            uvicorn_process.run(settings)
        if watch is not None and watch.failure is not None:
            raise watch.failure


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
        uvicorn_process.wait_until_ready(settings, status=process.poll)
        _print_addresses(settings, data)
        _watch(process, embedded)


def _prepare(settings: Settings, embedded: EmbeddedServers | None, stack: ExitStack) -> tuple[Settings, str]:
    """Start the embedded servers, migrate and check.

    Return the settings with the servers, and the last lines about the service: where the data is, and the set-up link.
    """
    data = _CONFIGURED_DATABASE if settings.database_dsn is not None else str(settings.data_dir)
    if embedded is not None:
        stack.enter_context(embedded)
        os.environ.update(embedded.settings)
        settings = load_settings()
    migrate_database(settings)
    adopt_restored_log(settings)
    warn_if_unprotected(settings)
    return settings, "\n\n  ".join([data, *_set_up_lines(settings)])


def _set_up_lines(settings: Settings) -> list[str]:
    line = set_up_link.line_for(settings, settings.public_url or uvicorn_process.url(settings))
    return [] if line is None else [line]


class _StopSignals:
    """Handles the signals that stop the service, from its creation on.

    The first signal raises SystemExit, which stops everything in order. Any further signal goes to uvicorn, where it
    ends the shutdown delay; it does not interrupt the shutdown of this process.
    """

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._is_serving = False
        self._first: int | None = None
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self._handle)

    @property
    def is_interrupt(self) -> bool:
        """Whether the first signal was that of Ctrl-C."""
        return self._first == signal.SIGINT

    @contextmanager
    def handled_by_uvicorn(self) -> Iterator[None]:
        """Leave SIGINT and SIGTERM to uvicorn, which runs in this process, and handle SIGHUP like SIGTERM.

        When it has ended, the service stops, and further signals do not interrupt that.
        """
        self._is_serving = True
        try:
            yield
        finally:
            self._is_serving = False
            self._first = self._first or signal.SIGTERM

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if self._is_serving and signum == signal.SIGHUP:
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
    text = f"\n  Desk  {url}/desk\n  API   {url}/tickets\n  Docs  {url}/docs\n  Data  {data}\n\nCtrl-C stops."
    Output(sys.stdout).write_line(text)


class _EmbeddedWatch(AbstractContextManager["_EmbeddedWatch"]):
    """A thread beside uvicorn: prints the addresses when the service is ready, and restarts embedded servers that end.

    It ends before the servers are stopped, or it would restart them. If the service does not become ready, it stops
    uvicorn; `failure` is the reason.
    """

    def __init__(self, settings: Settings, data: str, embedded: EmbeddedServers) -> None:
        self._settings, self._data, self._embedded = settings, data, embedded
        self._is_stopping = Event()
        self._thread = Thread(target=self._run, name="embedded-servers", daemon=True)
        self.failure: CannotServe | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            uvicorn_process.wait_until_ready(self._settings, status=lambda: 0 if self._is_stopping.is_set() else None)
        except CannotServe as reason:
            if not self._is_stopping.is_set():
                self.failure = reason
                os.kill(os.getpid(), signal.SIGTERM)
            return
        _print_addresses(self._settings, self._data)
        while not self._is_stopping.wait(WATCH_EVERY_S):
            self._embedded.restart_ended()


def _watch(process: subprocess.Popen[bytes], embedded: EmbeddedServers | None) -> NoReturn:
    """Restart embedded servers that end, until uvicorn ends or a signal stops this process."""
    while process.poll() is None:
        time.sleep(WATCH_EVERY_S)
        if embedded is not None:
            embedded.restart_ended()
    raise CannotServe(f"uvicorn ended with status {process.returncode}; the log lines above say why")
