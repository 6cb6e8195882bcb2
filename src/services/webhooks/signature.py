"""Signatures of Standard Webhooks 1.0: HMAC-SHA256 of the id, the time and the body of a message.

See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

PREFIX: Final = "whsec_"
MIN_SECRET_BYTES: Final = 24
MAX_SECRET_BYTES: Final = 64
_NEW_SECRET_BYTES: Final = 32


def new_secret() -> bytes:
    """Return a random secret."""
    return secrets.token_bytes(_NEW_SECRET_BYTES)


def secret_text(secret: bytes) -> str:
    """Return a secret in the form in which receivers configure it: `whsec_` and base64."""
    return PREFIX + base64.b64encode(secret).decode()


def secret_bytes(text: str) -> bytes:
    """Return the bytes of a secret in its text form.

    Raises ValueError, also if it has fewer than 24 or more than 64 bytes.
    """
    if not text.startswith(PREFIX):
        raise ValueError(f"must start with {PREFIX}")
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"must be base64 after {PREFIX}") from None
    if not MIN_SECRET_BYTES <= len(secret) <= MAX_SECRET_BYTES:
        raise ValueError(f"must have {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes")
    return secret


def signed_headers(message_id: str, at_s: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """Return the headers of an attempt at `at_s`, in seconds since 1970, with one signature for each key.

    The id stays the same when a message is sent again, and must not contain a full stop, which separates what is
    signed. During the rotation of a secret there are two keys.
    """
    signed = b"%s.%d.%s" % (message_id.encode(), at_s, body)
    signatures = [f"v1,{base64.b64encode(hmac.digest(key, signed, sha256)).decode()}" for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(signatures),
    }
