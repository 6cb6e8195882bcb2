"""Page cursors: opaque, signed positions in a list."""

import base64
import binascii
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import select

from core.errors import InvalidCursor
from db.postgres.database import Database
from db.postgres.statements import Statement, constant
from models import ServiceSecret, table_of

# Increase it when the meaning of a cursor changes, so that older cursors are refused and not misread.
_VERSION: Final = 1
_SIGNATURE_BYTES: Final = 16
_secrets: Final = table_of(ServiceSecret)
_SECRET: Final = Statement(select(_secrets.c.secret).where(_secrets.c.name == constant("cursors")))

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
        return self.seal(list_key, [number, None if time is None else time.isoformat()])

    def decode(self, list_key: str, cursor: str) -> Position:
        """Return the position that was encoded for the same list. Raises InvalidCursor."""
        number, time = self.unseal(list_key, cursor)
        return number, None if time is None else datetime.fromisoformat(time)

    def seal(self, list_key: str, position: Sequence[object]) -> str:
        """Return the cursor of any position that JSON can express."""
        content = json.dumps(position).encode()
        return base64.urlsafe_b64encode(self._sign(list_key, content) + content).decode().rstrip("=")

    def unseal(self, list_key: str, cursor: str) -> list[Any]:
        """Return the position that was sealed for the same list. Raises InvalidCursor."""
        try:
            signed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise InvalidCursor from None
        content = signed[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signed[:_SIGNATURE_BYTES], self._sign(list_key, content)):
            raise InvalidCursor
        position: list[Any] = json.loads(content)
        return position

    def _sign(self, list_key: str, content: bytes) -> bytes:
        """Return the HMAC (RFC 2104) of a cursor's content and of its list, truncated."""
        signed = b"%d %s\0%s" % (_VERSION, list_key.encode(), content)
        return hmac.digest(self.secret, signed, sha256)[:_SIGNATURE_BYTES]


class StoredCursors:
    """The cursors with the secret of the database, which is read once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: Cursors | None = None

    async def get(self) -> Cursors:
        """Return the cursors. Raises DatabaseUnavailable, DeadlineExceeded."""
        if self._known is None:
            async with self._database.reading() as connection:
                self._known = Cursors((await connection.one(_SECRET)).secret)
        return self._known
