"""Page cursors: where the next page of a list begins, in a form that clients do not read."""

import base64
import binascii
import json

from core.errors import InvalidCursor


def encode(this_list: str, last_id: int) -> str:
    """Return the cursor of the page of a list that follows the row with this id."""
    return base64.urlsafe_b64encode(json.dumps([this_list, last_id]).encode()).decode().rstrip("=")


def decode(this_list: str, cursor: str) -> int:
    """Return the id that `encode` was given for the same list. Raises InvalidCursor."""
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        of_list, last_id = json.loads(content)
    except (binascii.Error, ValueError, TypeError):
        raise InvalidCursor from None
    if of_list != this_list or type(last_id) is not int or not 0 < last_id < 2**63:
        raise InvalidCursor
    return last_id
