"""Page cursors: opaque, signed positions in a list."""

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from core.errors import InvalidCursor

# Increase it when the meaning of a cursor changes, so that older cursors are refused and not misread.
_VERSION: Final = 1
_SIGNATURE_BYTES: Final = 16

Position = tuple[int, datetime | None]


@dataclass(frozen=True)
class Cursors:
    """Encodes and decodes cursors. Each is signed for its list with a secret that all instances share."""

    secret: bytes

    def encode(self, list_key: str, position: Position) -> str:
        """Return the cursor of the page after a row, from the row's id or version and, if sorted by time, its time.

        `list_key` identifies the list, including its filters and its order.
        """
        number, time = position
        content = json.dumps([number, None if time is None else time.isoformat()]).encode()
        return base64.urlsafe_b64encode(self._sign(list_key, content) + content).decode().rstrip("=")

    def decode(self, list_key: str, cursor: str) -> Position:
        """Return the position that was encoded for the same list. Raises InvalidCursor."""
        try:
            signed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise InvalidCursor from None
        content = signed[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signed[:_SIGNATURE_BYTES], self._sign(list_key, content)):
            raise InvalidCursor
        number, time = json.loads(content)
        return number, None if time is None else datetime.fromisoformat(time)

    def _sign(self, list_key: str, content: bytes) -> bytes:
        """Return the HMAC (RFC 2104) of a cursor's content and of its list, truncated."""
        signed = b"%d %s\0%s" % (_VERSION, list_key.encode(), content)
        return hmac.digest(self.secret, signed, sha256)[:_SIGNATURE_BYTES]
