"""The folder through which the processes of one start share what they count.

Who is alive is told by locks, which end with their process however it ends and which no other process inherits by
getting the same number: the starter holds the folder itself, each worker a file in it. So a start can remove what
earlier ones left behind that were killed, and the gauges of a worker that died are not told any more; its counters are,
or they would go down.
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
# Kept open, since a lock ends with its descriptor.
_held: Final[dict[Path, int]] = {}


def make() -> Path:
    """Make a folder for this start and remove those of starts that ended. Raises OSError.

    It stays held by this process, also when another program takes the process's place.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        if _hold(folder, inheritable=True) and folder.exists():
            break
    for other in folder.parent.glob(f"{_PREFIX}*"):
        if other != folder:
            with suppress(OSError):
                _remove_if_left(other)
    return folder


def remove(folder: Path) -> None:
    """Remove the folder at the end of its start."""
    shutil.rmtree(folder, ignore_errors=True)
    os.close(_held.pop(folder))


def shared() -> Path | None:
    """Return the folder of this start; None where every process counts for itself."""
    folder = Path(os.environ.get(VARIABLE) or "/nowhere")
    return folder if folder.is_dir() else None


def enter(folder: Path) -> None:
    """Tell that this process is alive, until it ends."""
    _hold_new(folder / f"{_WORKER}{os.getpid()}")


def living_workers(folder: Path) -> list[int]:
    """Return the numbers of the processes that live, having dropped the gauges of those that do not."""
    living = []
    for worker in sorted(folder.glob(f"{_WORKER}*")):
        pid = int(worker.name.removeprefix(_WORKER))
        if worker in _held or _is_held(worker):
            living.append(pid)
        else:
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
            worker.unlink(missing_ok=True)
    return living


def is_leader() -> bool:
    """Return whether this process is the one that counts what is the same for all; when it dies, another becomes it."""
    folder = shared()
    if folder is None:
        return True
    counting = folder / "counting"
    with suppress(OSError):
        counting.touch()
        return counting in _held or _hold(counting)
    return False  # the folder went away


def _remove_if_left(folder: Path) -> None:
    if folder.stat().st_uid == os.getuid() and not _is_held(folder):
        shutil.rmtree(folder)


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # those who only look do not see each other
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _hold_new(path: Path) -> None:
    """Make a file that is held from the first moment at which it is seen under its name."""
    if path in _held:
        return
    unnamed = path.with_name(f"new-{path.name}")
    unnamed.touch()
    _hold(unnamed)
    _held[path] = _held.pop(unnamed)
    unnamed.rename(path)


def _hold(path: Path, *, inheritable: bool = False) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    os.set_inheritable(descriptor, inheritable)
    _held[path] = descriptor
    return True
