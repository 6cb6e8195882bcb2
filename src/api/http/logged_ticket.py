"""The ticket that a request is about, for its line in the log."""

import re
from collections.abc import Mapping
from typing import Final

from starlette.types import Scope

CREATED_KEY: Final = "created_headers"
"""The key of the scope under which the headers of a 201 response are kept."""

_NONE: Final[Mapping[str, int]] = {}
_PATH: Final = re.compile(r"/tickets/([1-9][0-9]{0,18})(?:/|$)")


def ticket_field(scope: Scope) -> dict[str, int]:
    """Return `ticket_id`, from the path or else from the `Location` of a created ticket; empty without either."""
    ticket_id = scope.get("path_params", _NONE).get("ticket_id")
    if isinstance(ticket_id, int):  # from the fast path, which has parsed the path already
        return {"ticket_id": ticket_id}
    found = _PATH.search(scope["path"])
    if found is None:
        for name, value in scope.get(CREATED_KEY, ()):
            if name == b"location":
                found = _PATH.search(value.decode("latin-1"))
    return {} if found is None else {"ticket_id": int(found[1])}
