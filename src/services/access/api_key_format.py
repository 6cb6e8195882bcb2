"""The format of an API key: `tk_<id>_<secret><checksum>`.

The prefix `tk_` lets secret scanners find keys in committed code. The id is the primary key of the row. The secret is
256 random bits. The checksum is the CRC-32 of all preceding characters: a mistyped key is refused without a query.
"""

import re
import secrets
import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH: Final = 8
_SECRET_BITS: Final = 256
_SECRET_LENGTH: Final = 43
_CHECKSUM_LENGTH: Final = 6
_PATTERN: Final = re.compile(
    rf"(tk_([0-9A-Za-z]{{{_ID_LENGTH}}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}}))([0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})"
)


@dataclass(frozen=True)
class Key:
    """An API key with its secret. `str()` is the text that a client sends."""

    id: str
    secret: str

    def __str__(self) -> str:
        text = f"tk_{self.id}_{self.secret}"
        return text + _checksum(text)

    def __repr__(self) -> str:
        return f"Key(id={self.id!r})"

    @property
    def secret_hash(self) -> bytes:
        """The hash that is stored. It needs no salt and no key stretching: 256 random bits cannot be guessed."""
        return sha256(self.secret.encode()).digest()


def new_key() -> Key:
    """Return a new random key."""
    return Key(
        "".join(secrets.choice(_DIGITS) for _ in range(_ID_LENGTH)),
        _base62(secrets.randbits(_SECRET_BITS), _SECRET_LENGTH),
    )


def parse_key(text: str) -> Key | None:
    """Return the key that a text encodes; None if the format or the checksum is wrong."""
    match = _PATTERN.fullmatch(text)
    if match is None or _checksum(match[1]) != match[4]:
        return None
    return Key(match[2], match[3])


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    """Return a number in base 62, padded to `length` digits."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
