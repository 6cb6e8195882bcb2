"""The API keys at the door: who a key lets in, without asking the database each time."""

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from core.errors import Unauthenticated, Unavailable
from models import Role
from services.access.api_key_format import parse_key
from services.access.api_keys import ApiKeyRecord, ApiKeys
from services.access.principal import Principal

# A revoked key is to let nobody in after 10 s. What is known of a key is asked anew after 5 s, and while one request
# asks the others go by what was known; but never for longer than 9 s.
FRESH_FOR_S: Final = 5
TRUSTED_FOR_S: Final = 9
NOTE_EVERY_S: Final = 30
# How many questions for keys that nobody used lately may be under way.
MAX_UNKNOWN_KEY_LOOKUPS: Final = 2

_NOBODYS_HASH: Final = bytes(32)

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Known:
    """A key as it was a while ago."""

    record: ApiKeyRecord
    principal: Principal
    asked_at: float
    is_being_asked: bool = False

    def is_good(self, now: float) -> bool:
        age_s = now - self.asked_at
        return age_s < FRESH_FOR_S or (self.is_being_asked and age_s < TRUSTED_FOR_S)


class ApiKeyCache:
    """Knows the keys that were used lately, and notes when."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys
        self._known: dict[str, _Known] = {}
        # Those that were right, by the hash of what was sent: to take a key apart and to check it took 8 µs of a cached
        # lookup's 110.
        self._good: dict[bytes, _Known] = {}
        self._used: dict[str, datetime] = {}
        self._unknown_keys = asyncio.Semaphore(MAX_UNKNOWN_KEY_LOOKUPS)
        self._exist = False
        self._asked_at = float("-inf")

    async def principal_of(self, text: str) -> Principal:
        """Return whom a key lets in. Raises Unauthenticated, DatabaseUnavailable."""
        digest = sha256(text.encode()).digest()
        known = self._good.get(digest)
        if known is None or not known.is_good(time.monotonic()):
            known = await self._ask_whose(text, digest)
        now = datetime.now(UTC)
        if not known.record.is_live(now):
            raise Unauthenticated("the API key is expired or revoked", are_refused=True, is_guess=False)
        self._used[known.record.id] = now
        return known.principal

    async def _ask_whose(self, text: str, digest: bytes) -> _Known:
        key = parse_key(text)
        if key is None:
            raise Unauthenticated("the API key is mistyped", are_refused=True)
        known = self._known.get(key.id)
        if known is None:
            known = await self._ask_for_stranger(key.id)
        elif not known.is_good(time.monotonic()):
            known = await self._ask_again(key.id, known)
        is_right = compare_digest(known.record.secret_hash if known else _NOBODYS_HASH, key.secret_hash)
        if known is None or not is_right:
            self._good.pop(digest, None)
            raise Unauthenticated("the API key is unknown", are_refused=True)
        self._good[digest] = known
        return known

    def knows(self, text: str) -> bool:
        """Return whether this very key was right lately, without asking anybody."""
        return sha256(text.encode()).digest() in self._good

    async def exist(self) -> bool:
        """Return whether there are keys, so that nobody comes in without one. Raises DatabaseUnavailable."""
        if not self._exist and time.monotonic() - self._asked_at > FRESH_FOR_S:
            self._exist = await self._keys.exist()
            self._asked_at = time.monotonic()
        return self._exist

    async def keep_notes(self) -> None:
        """Record now and then which keys were used, until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(NOTE_EVERY_S)
                await self.note()
        finally:
            await self.note()

    async def note(self) -> None:
        """Record which keys were used since the last time; what the database does not take waits for the next."""
        if not self._used:
            return
        used, self._used = self._used, {}
        try:
            await self._keys.used(used)
        except Unavailable as error:
            self._used = used | self._used
            _log.warning("when keys were used was not recorded: %s", error)

    async def _ask_for_stranger(self, key_id: str) -> _Known | None:
        """Ask for a key that nobody used lately; those who make keys up wait for each other, and for nobody else."""
        async with self._unknown_keys:
            return self._known.get(key_id) or await self._ask(key_id)

    async def _ask_again(self, key_id: str, known: _Known) -> _Known | None:
        """Ask for a key that was used lately. While nobody answers a monitor is trusted: the outage is to be seen."""
        try:
            return await self._ask(key_id)
        except Unavailable:
            if known.record.role != Role.MONITOR:
                raise
            return known

    async def _ask(self, key_id: str) -> _Known | None:
        known = self._known.get(key_id)
        if known is not None:
            known.is_being_asked = True
        asked_at = time.monotonic()
        try:
            record = await self._keys.find(key_id)
        finally:
            if known is not None:
                known.is_being_asked = False
        if record is None:
            # Not kept: whoever makes up ids would fill the memory with them.
            self._known.pop(key_id, None)
            return None
        self._known[key_id] = _Known(record, record.principal, asked_at)
        return self._known[key_id]
