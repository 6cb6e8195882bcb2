"""The query of a request: what FastAPI would replace or ignore without an error."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes

from fastapi.exceptions import RequestValidationError

REPEATABLE: Final = frozenset({"status", "assignee", "group", "priority", "sla", "tag", "types"})
ONCE: Final = "must be given once"

_NOT_UTF_8: Final = "must be percent-encoded UTF-8"


def check_query(query_string: bytes) -> None:
    """Raise RequestValidationError for a query that is not UTF-8 or repeats a parameter that has one value."""
    if not is_utf_8(query_string):
        raise RequestValidationError([{"type": "utf_8", "loc": ("query",), "msg": _NOT_UTF_8}])
    names = (name for name, _ in parse_qsl(query_string.decode(), keep_blank_values=True))
    if repeated := repeated_names(names):
        raise RequestValidationError([{"type": "repeated", "loc": ("query", name), "msg": ONCE} for name in repeated])


def is_utf_8(query_string: bytes) -> bool:
    """Return whether a query is percent-encoded UTF-8."""
    if not query_string.isascii():
        return False
    if b"%" in query_string:
        try:
            unquote_to_bytes(query_string).decode()
        except UnicodeDecodeError:
            return False
    return True


def repeated_names(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once, except those of parameters with several values."""
    seen: set[str] = set()
    repeated: dict[str, None] = {}
    for name in names:
        if name in seen and name not in REPEATABLE:
            repeated[name] = None
        seen.add(name)
    return list(repeated)
