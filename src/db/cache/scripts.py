"""The steps of the cache protocol that must be atomic, as Lua scripts on keys of one slot.

The key of a ticket is a hash. `v` is the version of the body or, without a body, the floor: the lowest version that may
be stored. `b` is the body, `s` its schema, and `e` the epoch of the fence under which its lease was taken. `l` is the
lease: the token of the reader that may store a body. `x` is the end of the lease, in ms of the server's clock.
The key of a fence holds its epoch, and expires unless it is renewed.
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
-- Return the body if there is one of the fence's epoch; otherwise take the lease unless another reader has it.
-- KEYS: ticket, fence. ARGV: schema, lease, its duration in ms, the field of the body. Returns {'hit', v, b},
-- {'wait', v, l, epoch}, {'unfenced', v} or {'lease', v, epoch}; v is '' if it is unknown, and epoch if there is no
-- fence.
local v, b, s, l, x, e = unpack(redis.call('HMGET', KEYS[1], 'v', ARGV[4], 's', 'l', 'x', 'e'))
local epoch = redis.call('GET', KEYS[2])
if b and s == ARGV[1] and epoch and e == epoch then return {'hit', v, b} end
if l and tonumber(x) > now then return {'wait', v or '', l, epoch or ''} end
if not epoch then return {'unfenced', v or ''} end
redis.call('HDEL', KEYS[1], 'b', 'p', 's', 'e')
redis.call('HSET', KEYS[1], 'l', ARGV[2], 'x', string.format('%.0f', now + ARGV[3]))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return {'lease', v or '', epoch}
"""
)

FILL = Script(
    _NOW
    + """
-- Store the bodies, if the reader still has the lease and the version is not below the floor.
-- KEYS: ticket. ARGV: schema, lease, version, body for agents, body for requesters, epoch that came with the lease,
-- time to live in ms. Returns 1 if the bodies were stored, 0 if they were refused. If the version is below the floor,
-- the lease is released, so that the next reader need not wait for its end.
local v, l, x = unpack(redis.call('HMGET', KEYS[1], 'v', 'l', 'x'))
if l ~= ARGV[2] or tonumber(x) <= now then return 0 end
if v and tonumber(ARGV[3]) < tonumber(v) then
    redis.call('HDEL', KEYS[1], 'l', 'x')
    return 0
end
redis.call('HSET', KEYS[1], 's', ARGV[1], 'v', ARGV[3], 'b', ARGV[4], 'p', ARGV[5], 'e', ARGV[6])
redis.call('HDEL', KEYS[1], 'l', 'x')
redis.call('PEXPIRE', KEYS[1], ARGV[7])
return 1
"""
)

RELEASE = Script(
    """
-- Release the lease without storing a body, so that no reader waits for a fill that will not happen.
-- KEYS: ticket. ARGV: lease.
if redis.call('HGET', KEYS[1], 'l') == ARGV[1] then redis.call('HDEL', KEYS[1], 'l', 'x') end
return 1
"""
)

INVALIDATE_BEFORE = Script(
    """
-- Raise the floor to a version that is not committed yet, and drop any body and the lease. A body of this version or of
-- a later one is of a commit that PostgreSQL lost in a failover, and whose version number is used again.
-- KEYS: ticket. ARGV: version, the floor's time to live in ms.
local v, b = unpack(redis.call('HMGET', KEYS[1], 'v', 'b'))
if b or not v or tonumber(v) < tonumber(ARGV[1]) then
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'v', ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
else
    redis.call('HDEL', KEYS[1], 'l', 'x')
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
"""
)

INVALIDATE = Script(
    """
-- Raise the floor to a committed version. If it was lower, drop the body and the lease; if it is equal and there is no
-- body, renew its time to live.
-- KEYS: ticket. ARGV: version, the floor's time to live in ms.
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

RENEW = Script(
    _NOW
    + """
-- Renew a fence, or make it with a new epoch. A renewal that arrives late is void: the state of its group may be older.
-- KEYS: fence. ARGV: the node's time before the states were read and how long after it the renewal may arrive, in ms;
-- the fence's time to live in ms; the time to live above which it is left alone; the epoch of a new fence.
-- Returns 0 if the renewal is void, 1 if the fence was renewed or made, 2 if it was left alone.
local read_at = tonumber(ARGV[1])
if now < read_at or now - read_at > tonumber(ARGV[2]) then return 0 end
local left = redis.call('PTTL', KEYS[1])
if left > tonumber(ARGV[4]) then return 2 end
if left > 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
else
    redis.call('SET', KEYS[1], ARGV[5], 'PX', ARGV[3])
end
return 1
"""
)
