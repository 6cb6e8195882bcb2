"""The JSON of a request body, checked before it is parsed.

The size of a body does not bound the cost of its JSON: 0.9 MiB of unknown fields took 0.3 s of the event loop to parse,
to validate and to refuse. The number of its members and its depth do. The check takes at most 6 ms for 1 MiB, and less
than 1 µs for a usual body.
"""

import json
from typing import Final

from fastapi.exceptions import RequestValidationError

MAX_MEMBERS: Final = 1_000
MAX_DEPTH: Final = 32

_TOO_COMPLEX: Final = f"must have at most {MAX_MEMBERS:,} members, nested at most {MAX_DEPTH} deep"
_NOT_UTF_8: Final = "must be UTF-8"
_ALL_BUT_BRACKETS: Final = bytes({*range(256)} - {*b"[]{}"})


def check_json(body: bytes) -> None:
    """Raise RequestValidationError for JSON that is too complex or not in UTF-8."""
    if not json.detect_encoding(body).startswith("utf-8"):  # Python would parse UTF-16 and UTF-32 too
        raise RequestValidationError([{"type": "json_invalid", "loc": ("body",), "msg": _NOT_UTF_8}])
    if is_too_complex(body):
        raise RequestValidationError([{"type": "json_too_complex", "loc": ("body",), "msg": _TOO_COMPLEX}])


def is_too_complex(body: bytes) -> bool:
    """Return whether JSON has more than MAX_MEMBERS members, items, objects and arrays, or is nested too deep.

    The text need not be valid JSON: the parser finds that out.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    unescaped = body.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in body else body
    if unescaped.count(b'"') > 4 * MAX_MEMBERS:  # a member has two strings at most
        return True
    structure = b"".join(unescaped.split(b'"')[::2])
    containers = structure.count(b"[") + structure.count(b"{")
    if structure.count(b",") + containers > MAX_MEMBERS:
        return True
    return containers > MAX_DEPTH and _depth(structure) > MAX_DEPTH


def _depth(structure: bytes) -> int:
    depth = deepest = 0
    for bracket in structure.translate(None, _ALL_BUT_BRACKETS)[: 2 * MAX_MEMBERS]:
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest
