"""What an API key looks like: `tk_<id>_<secret><checksum>`.

`tk_` lets scanners of source code find keys that were committed; the id names the row; the secret is 256 random bits;
the checksum is the CRC-32 of all before it, so that a mistyped key is refused without a look at the database.
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
_FORM: Final = re.compile(
    rf"(tk_([0-9A-Za-z]{{{_ID_LENGTH}}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}}))([0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})"
)


@dataclass(frozen=True)
class Key:
    """An API key. `str()` is what its owner sends."""

    id: str
    secret: str

    def __str__(self) -> str:
        text = f"tk_{self.id}_{self.secret}"
        return text + _checksum(text)

    def __repr__(self) -> str:
        return f"Key(id={self.id!r})"

    @property
    def secret_hash(self) -> bytes:
        """What is stored of the secret. No salt, no stretching: 256 random bits can not be guessed."""
        return sha256(self.secret.encode()).digest()


def new_key() -> Key:
    """Return a key that nobody else has."""
    return Key(
        "".join(secrets.choice(_DIGITS) for _ in range(_ID_LENGTH)),
        _written(secrets.randbits(_SECRET_BITS), _SECRET_LENGTH),
    )


def parse_key(text: str) -> Key | None:
    """Return the key that somebody sent; None if it is none, or mistyped."""
    match = _FORM.fullmatch(text)
    if match is None or _checksum(match[1]) != match[4]:
        return None
    return Key(match[2], match[3])


def _checksum(text: str) -> str:
    return _written(zlib.crc32(text.encode()), _CHECKSUM_LENGTH)


def _written(number: int, length: int) -> str:
    """Return a number in base 62."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
