"""Page cursors: where the next page of a list begins, in a form that clients do not read."""

import base64
import binascii
import json
from datetime import datetime
from hashlib import sha256
from typing import Final

from core.errors import InvalidCursor

# Raised when the meaning of a cursor changes: those that are under way are then refused, and not misread.
_FORM: Final = 1

Position = tuple[int, datetime | None]


def encode(this_list: str, position: Position) -> str:
    """Return the cursor of the page of a list that follows a row: its id or version, and its time if sorted by one.

    `this_list` says which list it is, filters and order included.
    """
    number, moment = position
    content = [_FORM, _digest(this_list), number, None if moment is None else moment.isoformat()]
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def decode(this_list: str, cursor: str) -> Position:
    """Return the position that `encode` was given for the same list. Raises InvalidCursor."""
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        form, digest, number, sent_moment = json.loads(content)
        moment = None if sent_moment is None else datetime.fromisoformat(sent_moment)
    except (binascii.Error, ValueError, TypeError):
        raise InvalidCursor from None
    if (form, digest) != (_FORM, _digest(this_list)) or type(number) is not int or not 0 < number < 2**63:
        raise InvalidCursor
    if moment is not None and moment.tzinfo is None:
        raise InvalidCursor
    return number, moment


def _digest(this_list: str) -> str:
    return sha256(this_list.encode()).hexdigest()[:16]
