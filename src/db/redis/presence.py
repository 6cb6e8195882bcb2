"""The presence of agents on tickets, looking or writing: in Redis only, for some seconds after each sign.

The key of a ticket is a hash of its own, apart from the keys of the cache. Its fields are principals; the value is the
end of the presence, in ms of the server's clock, a letter for what the principal does, and its name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from db.cache.scripts import Script
from db.redis.batches import Batches
from db.redis.guard import CacheUnavailable, GuardedRedis

TTL_MS: Final = 20_000
TIMEOUT_S: Final = 0.05

_WRITES: Final = "w"
_LOOKS: Final = "l"

_NOW: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""
# Returns the field and the value of each presence that has not ended, and deletes the others.
_PRESENT: Final = """
local found, all = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if tonumber(string.match(all[i + 1], '^%d+')) > now then
    found[#found + 1] = all[i]
    found[#found + 1] = all[i + 1]
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
return found
"""
_MARK: Final = Script(
    _NOW
    + """
-- ARGV: the principal, its letter and its name, the duration in ms.
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + ARGV[3]) .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
"""
    + _PRESENT
)
_READ: Final = Script(_NOW + _PRESENT)
_LEAVE: Final = Script("return redis.call('HDEL', KEYS[1], ARGV[1])")


@dataclass(frozen=True, slots=True)
class Presence:
    """A principal that has a ticket open; `writes` is true from the first key on that it types."""

    principal_id: str
    name: str
    writes: bool


class PresenceStore:
    """Stores presences. While Redis does not respond, there are none: no method raises."""

    def __init__(self, redis: GuardedRedis, *, prefix: str, ttl_ms: int = TTL_MS) -> None:
        self._redis = redis
        self._batches = Batches(redis)
        self._prefix = prefix
        self._ttl_ms = ttl_ms

    async def mark(self, ticket_id: int, presence: Presence) -> Sequence[Presence]:
        """Store the presence of a principal for TTL_MS, and return all of the ticket."""
        value = f"{_WRITES if presence.writes else _LOOKS}{presence.name}"
        try:
            found = await self._redis.run(
                _MARK, self._key(ticket_id), presence.principal_id, value, self._ttl_ms, timeout_s=TIMEOUT_S
            )
        except CacheUnavailable:
            return ()
        return _presences(found)

    async def leave(self, ticket_id: int, principal_id: str) -> None:
        """Delete the presence of a principal."""
        try:
            await self._redis.run(_LEAVE, self._key(ticket_id), principal_id, timeout_s=TIMEOUT_S)
        except CacheUnavailable:
            return

    async def of(self, ticket_ids: Sequence[int]) -> dict[int, Sequence[Presence]]:
        """Return the presences of tickets, by the ids of those that have any."""
        keys = {self._key(ticket_id): ticket_id for ticket_id in ticket_ids}
        results = await self._batches.run(_READ, dict.fromkeys(keys, ()), timeout_s=TIMEOUT_S)
        return {keys[key]: _presences(found) for key, found in results.items() if found}

    def _key(self, ticket_id: int) -> str:
        return f"{self._prefix}presence:{ticket_id}"


def _presences(found: Sequence[Any]) -> Sequence[Presence]:
    """Return presences in the order of the ids of their principals."""
    pairs = zip(found[::2], found[1::2], strict=True)
    return sorted((_presence(bytes(each), bytes(value)) for each, value in pairs), key=lambda one: one.principal_id)


def _presence(principal_id: bytes, value: bytes) -> Presence:
    does = value.decode().lstrip("0123456789")
    return Presence(principal_id.decode(), does[1:], does[0] == _WRITES)
