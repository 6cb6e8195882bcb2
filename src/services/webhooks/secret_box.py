"""Seals the secrets of endpoints: the database, its dumps and its replicas hold no secret in clear text.

The key is the service secret `webhooks`, which is in the same database. Sealing therefore protects copies of the table
of endpoints, not copies of the whole database.
"""

import os
from typing import Final

from sqlalchemy import select

from db.postgres.database import Database
from db.postgres.statements import Statement, constant
from models import ServiceSecret, table_of

_NONCE_BYTES: Final = 12
_PURPOSE: Final = b"webhook secret"
_secrets: Final = table_of(ServiceSecret)
_KEY: Final = Statement(select(_secrets.c.secret).where(_secrets.c.name == constant("webhooks")))


class SecretBox:
    """Seals and opens secrets by AES-GCM with a key that is read once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._key: bytes | None = None

    async def seal(self, secret: bytes) -> bytes:
        """Return a secret in the form in which it is stored. Raises DatabaseUnavailable, DeadlineExceeded."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - as in `open`

        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(await self._get_key()).encrypt(nonce, secret, _PURPOSE)

    async def open(self, sealed: bytes) -> bytes:
        """Return a secret that was sealed. Raises DatabaseUnavailable, DeadlineExceeded."""
        # Imported only with an endpoint: the library takes 8 MB of memory.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        return AESGCM(await self._get_key()).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _PURPOSE)

    async def _get_key(self) -> bytes:
        if self._key is None:
            async with self._database.control() as connection:
                self._key = (await connection.one(_KEY)).secret
        return self._key
