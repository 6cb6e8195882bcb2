"""The sessions used recently, kept in memory so that most pages need no query to authenticate."""

import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from core.errors import Overloaded
from services.batched_lookups import BatchedLookups
from services.sign_in import tokens
from services.sign_in.sessions import LiveSession, Sessions

# As for API keys: an ended session must be refused after 10 s. An entry is loaded again after 5 s. While one request
# loads it, the other requests use the old entry, but never for longer than 9 s.
FRESH_FOR_S: Final = 5
TRUSTED_FOR_S: Final = 9
MAX_SESSIONS: Final = 10_000
# One query for so many takes about a millisecond.
MAX_WAITING: Final = 500


@dataclass(slots=True)
class _Cached:
    """A session as it was at `loaded_at`, a time of the monotonic clock."""

    session: LiveSession
    loaded_at: float
    is_reloading: bool = False

    def is_usable(self, now: float) -> bool:
        age_s = now - self.loaded_at
        return age_s < FRESH_FOR_S or (self.is_reloading and age_s < TRUSTED_FOR_S)


class SessionCache:
    """Authenticates the tokens of cookies from memory."""

    def __init__(self, sessions: Sessions) -> None:
        self._cached: OrderedDict[bytes, _Cached] = OrderedDict()
        # Separate, so that a session in use never waits for lookups of made-up ones.
        self._stale = BatchedLookups(sessions.find_all)
        self._unknown = BatchedLookups(sessions.find_all)

    async def find(self, token: str) -> LiveSession | None:
        """Return the live session of a token; None for any other text.

        Raises Overloaded, DatabaseUnavailable, DeadlineExceeded.
        """
        if not tokens.is_token(token):
            return None
        token_hash = tokens.hash_of(token)
        cached = self._cached.get(token_hash)
        if cached is None:
            session = await self._look_up(token_hash)
        elif cached.is_usable(time.monotonic()):
            session = cached.session
        else:
            session = await self._reload(token_hash, cached)
        return None if session is None or datetime.now(UTC) >= session.expires_at else session

    def forget(self, token_hashes: Iterable[bytes]) -> None:
        """Look sessions up again at their next use: this process has ended them."""
        for token_hash in token_hashes:
            self._cached.pop(token_hash, None)

    async def _look_up(self, token_hash: bytes) -> LiveSession | None:
        if self._unknown.waiting >= MAX_WAITING:
            raise Overloaded("too many unknown sessions wait to be looked up")
        return await self._load(token_hash, self._unknown)

    async def _reload(self, token_hash: bytes, cached: _Cached) -> LiveSession | None:
        cached.is_reloading = True
        try:
            return await self._load(token_hash, self._stale)
        finally:
            cached.is_reloading = False

    async def _load(self, token_hash: bytes, lookups: BatchedLookups[bytes, LiveSession]) -> LiveSession | None:
        loaded_at = time.monotonic()
        session = await lookups.find(token_hash)
        self._cached.pop(token_hash, None)
        if session is not None:
            self._cached[token_hash] = _Cached(session, loaded_at)
            if len(self._cached) > MAX_SESSIONS:
                self._cached.popitem(last=False)
        return session
