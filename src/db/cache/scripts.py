"""The steps of the cache protocol that must be atomic, as Lua scripts on a single key.

The key of a ticket is a hash. `v` is the version of the body or, without a body, the floor: the lowest version that may
be stored. `b` is the body, and `s` the schema of the body. `l` is the lease: the token of the reader that may store a
body. `x` is the end of the lease, in milliseconds of the server's clock.
"""

from dataclasses import dataclass, field
from hashlib import sha1


@dataclass(frozen=True)
class Script:
    """A Lua script, and the SHA-1 digest by which EVALSHA names it."""

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
-- Return the body if there is one; otherwise take the lease unless another reader has it.
-- ARGV: schema, lease, its duration in ms. Returns {'hit', v, b}, {'wait', v, l} or {'lease', v}; v is '' if unknown.
local v, b, s, l, x = unpack(redis.call('HMGET', KEYS[1], 'v', 'b', 's', 'l', 'x'))
if b and s == ARGV[1] then return {'hit', v, b} end
if l and tonumber(x) > now then return {'wait', v or '', l} end
redis.call('HSET', KEYS[1], 'l', ARGV[2], 'x', string.format('%.0f', now + ARGV[3]))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return {'lease', v or ''}
"""
)

FILL = Script(
    _NOW
    + """
-- Store a body, if the reader still has the lease and the version is not below the floor.
-- ARGV: schema, lease, version, body, time to live in ms. Returns 1 if the body was stored, 0 if it was refused.
-- If the version is below the floor, the lease is released, so that the next reader need not wait for its end.
local v, l, x = unpack(redis.call('HMGET', KEYS[1], 'v', 'l', 'x'))
if l ~= ARGV[2] or tonumber(x) <= now then return 0 end
if v and tonumber(ARGV[3]) < tonumber(v) then
    redis.call('HDEL', KEYS[1], 'l', 'x')
    return 0
end
redis.call('HSET', KEYS[1], 's', ARGV[1], 'v', ARGV[3], 'b', ARGV[4])
redis.call('HDEL', KEYS[1], 'l', 'x')
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
"""
)

RELEASE = Script(
    """
-- Release the lease without storing a body, so that no reader waits for a fill that will not happen.
-- ARGV: lease.
if redis.call('HGET', KEYS[1], 'l') == ARGV[1] then redis.call('HDEL', KEYS[1], 'l', 'x') end
return 1
"""
)

INVALIDATE = Script(
    """
-- Raise the floor to a version. If it was lower, drop the body and the lease; if it is equal, renew its time to live.
-- ARGV: version, the floor's time to live in ms.
local v, b = unpack(redis.call('HMGET', KEYS[1], 'v', 'b'))
if not v or tonumber(v) < tonumber(ARGV[1]) then
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'v', ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
elseif tonumber(v) == tonumber(ARGV[1]) and not b then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
"""
)
