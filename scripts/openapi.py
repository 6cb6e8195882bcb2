"""Write the OpenAPI document to `openapi.json` (`pipenv run openapi`), so that reviews show changes of the contract."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "src"))

from core.settings import Settings  # noqa: E402 - only found on the path above
from main import create_app  # noqa: E402 - as above


def document() -> str:
    """Return the document in its committed form."""
    return json.dumps(create_app(Settings(_env_file=None)).openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (ROOT / "openapi.json").write_text(document())
