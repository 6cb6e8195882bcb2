"""Page cursors: where the next page begins, in a form that clients do not read."""

import base64
import binascii
import json

from core.errors import InvalidCursor


def encode(last_id: int) -> str:
    """Return the cursor of the page that follows the row with this id."""
    return base64.urlsafe_b64encode(json.dumps({"id": last_id}).encode()).decode().rstrip("=")


def decode(cursor: str) -> int:
    """Return the id that `encode` was given. Raises InvalidCursor."""
    try:
        content = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        last_id = content["id"]
    except (binascii.Error, ValueError, TypeError, KeyError):
        raise InvalidCursor from None
    if type(last_id) is not int or not 0 < last_id < 2**63:
        raise InvalidCursor
    return last_id
