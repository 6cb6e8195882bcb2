"""Print which packages that `Pipfile.lock` pins this Python lacks, in one line; nothing if it has them all.

    python scripts/environment.py default develop

It compares the names of the packages' records, `name-version.dist-info`, with the lock. This takes a few milliseconds;
reading the records would take a hundred.
"""

import json
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parent.parent / "Pipfile.lock"
OLDEST_PYTHON = (3, 11)
MOST_NAMED = 3


def missing(lock: dict[str, Any], categories: list[str], installed: set[tuple[str, str]]) -> Iterator[str]:
    """Yield the name and the version of each pinned package that is not installed in this version, but applies here."""
    pinned = {name: package for category in categories for name, package in lock[category].items()}
    for name, package in sorted(pinned.items()):
        version = package["version"].removeprefix("==")
        if (normalized(name), version) not in installed and applies(package.get("markers")):
            yield f"{name} {version}"


def installed_here() -> set[tuple[str, str]]:
    """Return the normalized name and the version of each package that is installed in this environment."""
    folders = {Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib")}
    records = (record.stem.rpartition("-") for folder in folders for record in folder.glob("*.dist-info"))
    return {(normalized(name), version) for name, _, version in records}


def normalized(name: str) -> str:
    """Return the name of a package in the form in which two spellings of it are equal."""
    return re.sub(r"[-_.]+", "-", name).lower()


def applies(marker: str | None) -> bool:
    """Return whether a package with this environment marker is needed here; also if that cannot be determined."""
    if marker is None:
        return True
    try:
        from packaging.markers import Marker  # noqa: PLC0415 - absent where no development package is installed
    except ImportError:
        try:
            from pip._vendor.packaging.markers import Marker  # type: ignore[assignment]  # noqa: PLC0415 - as above
        except ImportError:
            return True
    return Marker(marker).evaluate()


def main() -> None:
    """Print what is missing."""
    if sys.version_info < OLDEST_PYTHON:
        print("Python 3.11")
        return
    names = list(missing(json.loads(LOCK.read_text()), sys.argv[1:], installed_here()))
    more = [f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    print(", ".join(names[:MOST_NAMED] + more))


if __name__ == "__main__":
    main()
