"""Lock the Pipfile without the address of a package index (`pipenv run lock`).

pipenv writes the index that it used into `Pipfile.lock`. This project names no index: the pip configuration of each
machine decides. The lock keeps versions and hashes only.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def without_sources(lock: dict[str, Any]) -> dict[str, Any]:
    """Return the lock with `"sources": []` and no `index` key on any package."""
    meta = lock["_meta"] | {"sources": []}
    categories = {name: packages for name, packages in lock.items() if name != "_meta"}
    return {"_meta": meta} | {
        name: {
            package: {key: value for key, value in pinned.items() if key != "index"}
            for package, pinned in packages.items()
        }
        for name, packages in categories.items()
    }


def main() -> None:
    """Run `pipenv lock`, then remove the sources from `Pipfile.lock`."""
    subprocess.run(["pipenv", "lock"], cwd=ROOT, check=True)
    path = ROOT / "Pipfile.lock"
    lock = without_sources(json.loads(path.read_text()))
    path.write_text(json.dumps(lock, indent=4, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
