"""The folder through which the worker processes of one service share their metrics.

File locks mark live processes: the parent process locks the folder, and each worker locks a file in it. A lock ends
with its process, even after SIGKILL, and a process that reuses a process id does not inherit it. So a new service can
remove the folders of killed ones, and the gauges of a dead worker are no longer exposed. Its counters still are: a
counter must not decrease.
"""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from prometheus_client.multiprocess import mark_process_dead

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"

_PREFIX: Final = "tickets-metrics-"
_WORKER: Final = "worker-"
# The descriptors stay open, because a lock ends with its descriptor.
_locked: Final[dict[Path, int]] = {}


def make() -> Path:
    """Create and lock a folder for this service, and remove the folders of services that ended. Raises OSError.

    The lock survives `exec`: the program that replaces this one holds it.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        if _lock(folder, inheritable=True) and folder.exists():
            break
    for other in folder.parent.glob(f"{_PREFIX}*"):
        if other != folder:
            with suppress(OSError):
                _remove_if_abandoned(other)
    return folder


def remove(folder: Path) -> None:
    """Remove the folder when its service ends."""
    shutil.rmtree(folder, ignore_errors=True)
    os.close(_locked.pop(folder))


def shared() -> Path | None:
    """Return the folder of this service; None if its processes do not share their metrics."""
    folder = Path(os.environ.get(VARIABLE) or "/nowhere")
    return folder if folder.is_dir() else None


def register_worker(folder: Path) -> None:
    """Mark this process as a live worker until it ends."""
    _create_locked(folder / f"{_WORKER}{os.getpid()}")


def live_workers(folder: Path) -> list[int]:
    """Return the process ids of the live workers, and remove the gauges of dead ones."""
    live = []
    for worker in sorted(folder.glob(f"{_WORKER}*")):
        pid = int(worker.name.removeprefix(_WORKER))
        if worker in _locked or _is_locked(worker):
            live.append(pid)
        else:
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
            worker.unlink(missing_ok=True)
    return live


def is_leader() -> bool:
    """Return whether this process updates the metrics that all processes share; when it dies, another takes over."""
    folder = shared()
    if folder is None:
        return True
    leader = folder / "leader"
    with suppress(OSError):
        leader.touch()
        return leader in _locked or _lock(leader)
    return False  # the folder was removed


def _remove_if_abandoned(folder: Path) -> None:
    if folder.stat().st_uid == os.getuid() and not _is_locked(folder):
        shutil.rmtree(folder)


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared, so that two checks do not conflict
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _create_locked(path: Path) -> None:
    """Create a file that is locked as soon as it has its name."""
    if path in _locked:
        return
    unnamed = path.with_name(f"new-{path.name}")
    unnamed.touch()
    _lock(unnamed)
    _locked[path] = _locked.pop(unnamed)
    unnamed.rename(path)


def _lock(path: Path, *, inheritable: bool = False) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    os.set_inheritable(descriptor, inheritable)
    _locked[path] = descriptor
    return True
