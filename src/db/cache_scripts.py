"""The three steps of the cache protocol that must be one step each, as Lua scripts on a single key."""

from dataclasses import dataclass, field
from hashlib import sha1


@dataclass(frozen=True)
class Script:
    """A Lua script and the digest by which a server that has seen it knows it."""

    source: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", sha1(self.source.encode(), usedforsecurity=False).hexdigest())


_NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""

LEASE = Script(
    _NOW
    + """
-- ARGV: lease, its length in ms. Answers {'hit', v, b}, {'wait', v} or {'lease', v}.
local version, body, lease, ends = unpack(redis.call('HMGET', KEYS[1], 'v', 'b', 'l', 'x'))
if body then return {'hit', version, body} end
if lease and tonumber(ends) > now then return {'wait', version} end
redis.call('HSET', KEYS[1], 'l', ARGV[1], 'x', string.format('%.0f', now + ARGV[2]))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {'lease', version}
"""
)

FILL = Script(
    _NOW
    + """
-- ARGV: lease, version, body, time to live in ms. Answers 1 when stored, 0 when refused.
local floor, lease, ends = unpack(redis.call('HMGET', KEYS[1], 'v', 'l', 'x'))
if lease ~= ARGV[1] or tonumber(ends) <= now then return 0 end
if floor and tonumber(ARGV[2]) < tonumber(floor) then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[2], 'b', ARGV[3])
redis.call('HDEL', KEYS[1], 'l', 'x')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
"""
)

INVALIDATE = Script(
    """
-- ARGV: version, the floor's time to live in ms.
local floor, body = unpack(redis.call('HMGET', KEYS[1], 'v', 'b'))
if not floor or tonumber(floor) < tonumber(ARGV[1]) then
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'v', ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
elseif tonumber(floor) == tonumber(ARGV[1]) and not body then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
"""
)
