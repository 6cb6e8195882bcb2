"""Running servers without privileges: PostgreSQL refuses to run as root, so root starts it as the user `nobody`.

The programs and the data must then be in folders that `nobody` can access. If the checkout is in a folder that only
root can access, such as the home folder of root, they are stored under `/var/lib/ticket-service`, and a symbolic link
leads there. The permissions of existing folders are never widened.
"""

import hashlib
import os
import shutil
import stat
from pathlib import Path

_USER = "nobody"
_ACCESSIBLE_HOME = Path("/var/lib/ticket-service")


def unprivileged_user() -> str | None:
    """Return the user to start servers as when this process runs as root; None otherwise."""
    return _USER if os.geteuid() == 0 else None


def unprivileged_package(package: Path) -> Path:
    """Return a folder from which the unprivileged user can run the programs of an installed wheel.

    This is `package` itself if that user can access it, and a copy otherwise. The copy includes the shared libraries of
    the wheel, which are beside its package in a folder of the same name that ends in `.libs`.
    """
    if unprivileged_user() is None or _is_accessible(package):
        return package
    origin = f"{package}:{package.stat().st_mtime_ns}".encode()
    copy = _ACCESSIBLE_HOME / f"{package.name}-{hashlib.sha256(origin).hexdigest()[:12]}"
    if not copy.exists():
        fresh = _create_passable(copy.with_name(f"{copy.name}.{os.getpid()}"))
        for part in package.parent.glob(f"{package.name}*"):
            if part.name in {package.name, f"{package.name}.libs"}:
                shutil.copytree(part, fresh / part.name, symlinks=True)
        for path in fresh.rglob("*"):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.stat().st_mode & stat.S_IXUSR else 0o044))
        fresh.replace(copy)
    return copy / package.name


def unprivileged_folder(folder: Path) -> Path:
    """Create `folder` for the unprivileged user if it is missing; return the path by which that user accesses it."""
    if unprivileged_user() is None:
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    _create_passable(folder.parent)
    if folder.is_symlink():
        folder = folder.readlink()
    elif not folder.exists() and not _is_accessible(folder.parent):
        name = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        target = _create_passable(_ACCESSIBLE_HOME) / f"{folder.name}-{name}"
        folder.symlink_to(target)
        folder = target
    _create_passable(folder.parent)  # also if a link points to a folder that was removed
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    shutil.chown(folder, _USER)
    return folder


def _create_passable(folder: Path) -> Path:
    """Create a folder and its missing parents so that every user can pass through them, whatever the umask is."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(exist_ok=True)
        missing.chmod(0o755)
    return folder


def _is_accessible(path: Path) -> bool:
    return all(step.stat().st_mode & stat.S_IXOTH for step in (path.resolve(), *path.resolve().parents))
