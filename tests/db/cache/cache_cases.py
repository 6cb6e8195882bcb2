"""The cases that `cache_model` checks: the protocol, and protocols that lack one part."""

from typing import Final

from .cache_state import Case, Fault, Protocol

REAL: Final = Protocol()

PLAIN_DEL: Final = Protocol(lease_to_fill=False, compare_to_fill=False, floor=False, before_commit=False)
VERSION_ONLY: Final = Protocol(lease_to_fill=False, floor=False, before_commit=False)
FLOOR_ONLY: Final = Protocol(lease_to_fill=False)
LEASE_ONLY: Final = Protocol(compare_to_fill=False, floor=False, before_commit=False)
# The mark after the commit alone keeps the promise; with the commit, the mark cannot fail once the change is committed.
NO_MARK: Final = Protocol(mark_with_commit=False, mark_after_commit=False)

ONE_PROCESS: Final = ("A1", "A1")
TWO_RELEASES: Final = ("A1", "B2")
THREE: Final = ("A1", "A1", "B1")


def _faults(*faults: Fault) -> frozenset[Fault]:
    return frozenset(faults)


_ELSEWHERE: Final = _faults("mark elsewhere")
_REDIS: Final = _faults("fail over Redis")
_POSTGRES: Final = _faults("fail over PostgreSQL")
_LOST: Final = _faults("lose invalidation", "expire fence")
_LATE: Final = _LOST | _faults("late invalidation")
_EVICTED: Final = _LOST | _faults("evict floor")
_ENDS: Final = _faults("expire fence", "expire lease", "roll back", "crash", "fail load")
_ANY: Final = _LATE | _ENDS | _faults("evict floor")
_FLOORS_KEPT: Final = _ENDS | _faults("evict")

# The guarantees of the design. A read never returns less than an acknowledged version, whatever Redis loses; and never
# less than a committed version, as long as the invalidations before the commits arrive and their floors are kept.
HOLDING: Final = (
    Case("two processes, any fault", REAL, "acknowledged", _ANY, writers=1),
    Case("one process, any fault", REAL, "acknowledged", _ANY, ONE_PROCESS, writers=1, expiries=1),
    Case("two releases, any fault", REAL, "acknowledged", _ANY, TWO_RELEASES, writers=1, expiries=1),
    Case("group down at first, any fault", REAL, "acknowledged", _ANY, writers=1, expiries=1, is_up=False),
    Case("group marked for another ticket", REAL, "acknowledged", _EVICTED | _LATE | _ELSEWHERE, writers=1),
    Case("Redis fails over", REAL, "acknowledged", _EVICTED | _REDIS, writers=1),
    Case("PostgreSQL fails over", REAL, "acknowledged", _EVICTED | _POSTGRES, writers=1, expiries=1, losses=1),
    Case("two writers, invalidations lost", REAL, "acknowledged", _LOST),
    Case("two writers, a late invalidation", REAL, "acknowledged", _LATE, losses=1),
    Case("two writers, no invalidation lost", REAL, "acknowledged", _ENDS | _faults("evict floor"), expiries=1),
    Case("two writers, floors kept", REAL, "committed", _FLOORS_KEPT, expiries=1),
    Case("one process, floors kept", REAL, "committed", _FLOORS_KEPT, ONE_PROCESS, expiries=1),
    Case("two releases, floors kept", REAL, "committed", _FLOORS_KEPT, TWO_RELEASES, expiries=1),
    Case("three readers, invalidations lost", REAL, "acknowledged", _EVICTED, THREE, writers=1, expiries=1),
)

# The same with writers that may decide without a lock. Two of them also never overwrite a version unseen.
UNLOCKED: Final = (
    Case("unlocked, any fault", REAL, "acknowledged", _ANY, writers=1, expiries=1, unlocked=True),
    Case(
        "unlocked, PostgreSQL fails over",
        REAL,
        "acknowledged",
        _EVICTED | _POSTGRES,
        expiries=1,
        losses=0,
        unlocked=True,
    ),
    Case("unlocked, invalidations lost", REAL, "acknowledged", _LOST, losses=1, unlocked=True),
    Case(
        "unlocked, no invalidation lost",
        REAL,
        "acknowledged",
        _faults("evict floor", "roll back", "crash"),
        expiries=1,
        unlocked=True,
    ),
    Case("unlocked, floors kept", REAL, "committed", _faults("evict", "roll back", "crash"), expiries=1, unlocked=True),
)

# The same with more of everything; only on request, because these take minutes.
FULL: Final = (
    Case("one writer, any fault, marked elsewhere", REAL, "acknowledged", _ANY | _ELSEWHERE, writers=1),
    Case("two writers, marked elsewhere", REAL, "acknowledged", _LATE | _ELSEWHERE),
    Case("two writers, any fault", REAL, "acknowledged", _ANY, expiries=1),
    Case("one writer, both fail over", REAL, "acknowledged", _EVICTED | _REDIS | _POSTGRES, writers=1, expiries=1),
    Case("two writers, Redis fails over", REAL, "acknowledged", _EVICTED | _REDIS, expiries=1),
    Case("two writers, PostgreSQL fails over", REAL, "acknowledged", _EVICTED | _POSTGRES, expiries=1, losses=1),
    Case("three readers, any fault", REAL, "acknowledged", _ANY, THREE, writers=1),
    Case("three readers, Redis fails over", REAL, "acknowledged", _EVICTED | _REDIS, THREE, writers=1, expiries=1),
    Case("three readers, two writers", REAL, "acknowledged", _EVICTED, THREE, expiries=1),
    Case("three readers, two writers, Redis", REAL, "acknowledged", _LOST | _REDIS, THREE, losses=1),
    Case("three readers, two writers, PostgreSQL", REAL, "acknowledged", _LOST | _POSTGRES, THREE, losses=1),
    Case("three readers, floors kept", REAL, "committed", _FLOORS_KEPT, THREE, expiries=1),
)

# Protocols that lack one part each, with the fewest faults that lead to a stale read.
BROKEN: Final = (
    Case("plain DEL", PLAIN_DEL, "acknowledged"),
    Case("version only", VERSION_ONLY, "acknowledged"),
    Case("floor only", FLOOR_ONLY, "acknowledged", _faults("evict")),
    Case("lease only", LEASE_ONLY, "committed"),
    Case("no floor before the commit", REAL._replace(before_commit=False), "committed"),
    Case("no invalidation after the commit", REAL._replace(after_commit=False), "acknowledged", _faults("evict floor")),
    Case("joins, versions not compared", REAL._replace(compare_to_join=False), "acknowledged", readers=ONE_PROCESS),
    Case(
        "joins, leases not compared",
        REAL._replace(same_lease_to_join=False),
        "acknowledged",
        _faults("evict"),
        THREE,
        writers=1,
    ),
    Case(
        "joins, fence not compared", REAL._replace(fence_to_join=False), "acknowledged", _LOST, ONE_PROCESS, writers=1
    ),
    Case("no fence", REAL._replace(fence=False), "acknowledged", _LOST, writers=1),
    Case("bodies without epoch", REAL._replace(epochs=False), "acknowledged", _LOST, writers=1),
    Case("epoch of the fill", REAL._replace(epoch_of_lease=False), "acknowledged", _LOST, writers=1),
    Case("fence read before the key", REAL._replace(fence_last=False), "acknowledged", _REDIS, writers=1),
    Case("fence survives a failover", REAL._replace(dies_before_failover=False), "acknowledged", _REDIS, writers=1),
    Case("renews without reading the state", REAL._replace(read_state=False), "acknowledged", _LOST, writers=1),
    Case("a renewal may arrive at any time", REAL._replace(window=False), "acknowledged", _LOST, writers=1),
    Case("group never marked", NO_MARK, "acknowledged", _LOST, writers=1),
    Case(
        "second invalidation lost, not marked",
        REAL._replace(mark_after_commit=False),
        "acknowledged",
        _EVICTED,
        writers=1,
        expiries=1,
    ),
    Case("acknowledges without waiting", REAL._replace(wait=False), "acknowledged", _LOST, writers=1),
    Case(
        "comes up while a writer relies on it",
        REAL._replace(share_lock=False),
        "acknowledged",
        _LOST,
        writers=1,
        is_up=False,
    ),
    Case("comes up before the fence is dead", REAL._replace(up_when_dead=False), "acknowledged", _LOST, writers=1),
    # A failover of PostgreSQL loses the last commits, and its version numbers are used again.
    Case("number used again, body kept", REAL._replace(drop_reused=False), "acknowledged", _POSTGRES),
    Case("number used again, lease kept", REAL._replace(drop_lease=False), "acknowledged", _POSTGRES),
    Case(
        "number used again, first invalidation lost",
        REAL._replace(repeat_first=False),
        "acknowledged",
        _POSTGRES | _faults("lose invalidation"),
        losses=1,
    ),
    # It loses the coming up of a group: the same mark has another beginning, and the writer must wait anew.
    Case(
        "mark known from before a failover",
        REAL._replace(new_periods=False),
        "acknowledged",
        _LOST | _POSTGRES,
        writers=1,
        is_up=False,
    ),
    # It loses a mark that was made after its commit.
    Case(
        "mark lost by a failover",
        REAL._replace(look_again=False),
        "acknowledged",
        _EVICTED | _POSTGRES,
        writers=1,
        expiries=1,
        losses=1,
    ),
)

# Changes that are decided without a lock, and overwrite a version that they have not seen.
OVERWRITING: Final = (
    Case("unlocked, version not compared", REAL._replace(compare_to_save=False), "acknowledged", unlocked=True),
    Case(
        "unlocked, saved by another server",
        REAL._replace(same_server=False),
        "acknowledged",
        _POSTGRES,
        writers=3,
        readers=(),
        unlocked=True,
    ),
)

# Not guaranteed: without its floor until the commit, reads may be stale until the write is acknowledged.
BEYOND: Final = (
    Case("a floor evicted before its commit", REAL, "committed", _faults("evict floor")),
    Case("a floor that was never set", REAL, "committed", _faults("lose invalidation"), writers=1),
)
