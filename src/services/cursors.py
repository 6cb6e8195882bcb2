"""Page cursors: where the next page of a list begins, in a form that clients neither read nor make."""

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from core.errors import InvalidCursor

# Raised when the meaning of a cursor changes: those that are under way are then refused, and not misread.
_FORM: Final = 1
_SEAL_BYTES: Final = 16

Position = tuple[int, datetime | None]


@dataclass(frozen=True)
class Cursors:
    """Makes cursors and reads them. Each is sealed for its list by a secret that all instances of the service share."""

    secret: bytes

    def encode(self, this_list: str, position: Position) -> str:
        """Return the cursor of the page of a list that follows a row: its id or version, and its time if sorted by one.

        `this_list` says which list it is, filters and order included.
        """
        number, moment = position
        content = json.dumps([number, None if moment is None else moment.isoformat()]).encode()
        return base64.urlsafe_b64encode(self._seal(this_list, content) + content).decode().rstrip("=")

    def decode(self, this_list: str, cursor: str) -> Position:
        """Return the position that `encode` was given for the same list. Raises InvalidCursor."""
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise InvalidCursor from None
        content = sealed[_SEAL_BYTES:]
        if not hmac.compare_digest(sealed[:_SEAL_BYTES], self._seal(this_list, content)):
            raise InvalidCursor
        number, moment = json.loads(content)
        return number, None if moment is None else datetime.fromisoformat(moment)

    def _seal(self, this_list: str, content: bytes) -> bytes:
        """Return the HMAC (RFC 2104) of what the cursor says and of the list it is for."""
        return hmac.digest(self.secret, b"%d %s\0%s" % (_FORM, this_list.encode(), content), sha256)[:_SEAL_BYTES]
