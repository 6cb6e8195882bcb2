"""The file with the token of the set-up: only the user of the service can read it."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

NAME: Final = "set-up-token"
_MODE: Final = 0o600
_MAX_BYTES: Final = 100


def path_in(folder: Path) -> Path:
    """Return the path of the file in the data folder."""
    return folder / NAME


def read(folder: Path) -> str | None:
    """Return the token in the file; None without a file. Raises OSError."""
    try:
        with path_in(folder).open("rb") as file:
            return file.read(_MAX_BYTES).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None


def write(folder: Path, token: str) -> None:
    """Write the token into a new file, in place of an older one. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = path_in(folder).with_name(f"{NAME}.{os.getpid()}")
    with suppress(FileNotFoundError):
        fresh.unlink()
    # Created with its final mode: at no time can others read it.
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _MODE)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{token}\n")
    fresh.replace(path_in(folder))


def remove(folder: Path) -> None:
    """Delete the file, if there is one and it can be deleted: its token is void then."""
    with suppress(OSError):
        path_in(folder).unlink()
