"""Seals secrets that are stored: the database, its dumps and its replicas hold none of them in clear text.

A key is a service secret, which is in the same database. Sealing therefore protects copies of the tables that hold
sealed secrets, not copies of the whole database.
"""

import os
from typing import Final

from sqlalchemy import select

from db.postgres.database import Database
from db.postgres.statements import Statement, given
from models import ServiceSecret, table_of

_NONCE_BYTES: Final = 12
_secrets: Final = table_of(ServiceSecret)
_KEY: Final = Statement(select(_secrets.c.secret).where(_secrets.c.name == given(_secrets.c.name)))


class SecretBox:
    """Seals and opens secrets of one purpose by AES-GCM, with the service secret `key`, which is read once."""

    def __init__(self, database: Database, *, key: str = "webhooks", purpose: bytes = b"webhook secret") -> None:
        self._database = database
        self._name = key
        self._purpose = purpose
        self._key: bytes | None = None

    async def seal(self, secret: bytes) -> bytes:
        """Return a secret in the form in which it is stored. Raises DatabaseUnavailable, DeadlineExceeded."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - as in `open`

        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(await self._get_key()).encrypt(nonce, secret, self._purpose)

    async def open(self, sealed: bytes) -> bytes:
        """Return a secret that was sealed. Raises DatabaseUnavailable, DeadlineExceeded."""
        # Imported only when it is needed: the library takes 8 MB of memory.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        return AESGCM(await self._get_key()).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._purpose)

    async def _get_key(self) -> bytes:
        if self._key is None:
            async with self._database.control() as connection:
                self._key = (await connection.one(_KEY, name=self._name)).secret
        return self._key
