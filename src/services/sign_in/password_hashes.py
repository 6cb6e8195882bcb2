"""Hashes of passwords: Argon2id (RFC 9106) with the parameters of the OWASP Password Storage Cheat Sheet.

A hash takes 19 MiB and about 20 ms of a processor. It is computed in a thread, at most two at a time.
"""

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from core import deadline
from core.errors import DeadlineExceeded, Overloaded
from core.sign_in_errors import Refusal, SignInRefused

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 256
MAX_AT_ONCE: Final = 2
MAX_WAITING: Final = 50

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)
# Of a random password: verified in place of that of an unknown account, so that both take as long.
_DUMMY: Final = "$argon2id$v=19$m=19456,t=2,p=1$xxR6ff9xfOR8TT/ZuQPA2A$H2sWIa9nq9i5C6r7Vsj0jVo8dUjjkXhj2YNgyTtdsXQ"


class PasswordHashes:
    """Makes and verifies hashes. Every method raises Overloaded and DeadlineExceeded."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one of the two turns, and hold it; a limited number of requests may wait."""
        if self._waiting >= MAX_WAITING:
            raise Overloaded("too many sign-ins wait")
        self._waiting += 1
        try:
            async with asyncio.timeout_at(deadline.current()):
                await self._turns.acquire()
        except TimeoutError:
            raise DeadlineExceeded("the request waited to verify a password") from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()

    async def make(self, password: str) -> str:
        """Return the hash of a password, with its parameters and its salt."""
        async with self.turn():
            return await asyncio.to_thread(_HASHER.hash, _normal(password))

    async def is_right(self, password: str, password_hash: str | None) -> bool:
        """Return whether a password has a hash; never for None, which takes as long. To be called in a `turn`."""
        is_right = await asyncio.to_thread(_verify, password_hash or _DUMMY, _normal(password))
        return is_right and password_hash is not None


def ensure_fit(password: str, *others: str) -> None:
    """Raise SignInRefused for a new password that is too short or too long, or one of the `others`."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise SignInRefused(Refusal.SHORT_PASSWORD)
    if password.casefold() in {other.casefold() for other in others}:
        raise SignInRefused(Refusal.PASSWORD_IS_NAME)


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> str:
    """Return a password in the normal form NFC: keyboards differ in how they compose letters (RFC 8265)."""
    return unicodedata.normalize("NFC", password)
