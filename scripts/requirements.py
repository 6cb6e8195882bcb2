"""Print the packages that `Pipfile.lock` pins, as a pip requirements file with hashes.

It needs only Python, so that a machine without pipenv can install exactly the locked packages:

    python scripts/requirements.py default develop > requirements.txt
    pip install --no-deps --require-hashes -r requirements.txt
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parent.parent / "Pipfile.lock"


def requirements(lock: dict[str, Any], categories: list[str]) -> Iterator[str]:
    """Yield a requirement line for each package. A package in several categories comes once."""
    pinned = {name: package for category in categories for name, package in lock[category].items()}
    for name, package in sorted(pinned.items()):
        extras = f"[{','.join(package['extras'])}]" if "extras" in package else ""
        markers = f" ; {package['markers']}" if "markers" in package else ""
        hashes = "".join(f" --hash={digest}" for digest in package["hashes"])
        yield f"{name}{extras}{package['version']}{markers}{hashes}"


if __name__ == "__main__":
    print("\n".join(requirements(json.loads(LOCK.read_text()), sys.argv[1:])))
