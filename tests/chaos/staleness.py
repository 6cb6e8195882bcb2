"""Whether a stale read is one that the design of the cache allows.

Allowed is one case: the invalidation of a version did not reach Redis, or Redis lost its floor before the commit. Then
an older body may be served for one time to live, except by the instance that knows that its invalidation failed. Every
other stale read is a violation.
"""

from collections.abc import Iterator
from typing import Final

from chaos.history import CacheRecord, Delivery, Operation
from db.cache.ticket_cache import BODY_MS, LEASE_MS

BOUND_S: Final = (BODY_MS + LEASE_MS) / 1000

# Other reads load from the database after they began.
_FROM_CACHE: Final = ("hit", "collapsed")


def excuse(read: Operation, cache: CacheRecord) -> tuple[bool, str]:
    """Return whether a stale read is allowed, and the reason."""
    assert read.ticket_id is not None
    assert read.version is not None
    stale = read.version
    attempts = [each for each in cache.deliveries.get(read.ticket_id, ()) if each.version > stale]
    for reason in _reasons_against(read, stale, attempts, cache):
        return False, reason
    if any(each.is_delivered for each in _attempts_before(read, stale, attempts)):
        return True, "the floor was lost before the commit, and no invalidation followed the commit"
    return True, "no invalidation reached Redis"


def _reasons_against(read: Operation, stale: int, attempts: list[Delivery], cache: CacheRecord) -> Iterator[str]:
    assert read.ticket_id is not None
    overwritten_at = cache.committed_by.get((read.ticket_id, stale + 1))
    if not read.how.endswith(_FROM_CACHE):
        yield "although it was loaded from the database"
    if overwritten_at is None:
        yield "although nothing is known of the next write"
    elif read.began_at > overwritten_at + BOUND_S:
        yield f"{read.began_at - overwritten_at:.0f} s after it was overwritten"
    for each in attempts:
        if each.is_delivered and each.ended_at <= read.began_at and _protects(each, stale, cache):
            yield f"although Redis was invalidated ({each})"
    for each in _pending(attempts, read):
        yield f"although its own instance knew of the failed invalidation ({each})"
    if not any(_attempts_before(read, stale, attempts)):
        yield "although no invalidation was attempted before the commit"


def _attempts_before(read: Operation, stale: int, attempts: list[Delivery]) -> Iterator[Delivery]:
    """Yield the attempts to invalidate for the version after the stale one that had ended when the read began."""
    return (each for each in attempts if each.version == stale + 1 and each.ended_at <= read.began_at)


def _protects(delivery: Delivery, stale: int, cache: CacheRecord) -> bool:
    """Return whether Redis could not hold the stale version after this delivery.

    The floor of a later write is set after the commits of all earlier versions. The floor of the version right after
    the stale one may be set before its commit and be lost before it. Then the stale version can be stored again.
    """
    committed_by = cache.committed_by.get((delivery.ticket_id, delivery.version))
    if delivery.version > stale + 1 or committed_by is None:
        return True
    return not any(
        lost_at <= committed_by and lost_until >= delivery.began_at
        for lost_at, lost_until in cache.losses.get(delivery.ticket_id, ())
    )


def _pending(attempts: list[Delivery], read: Operation) -> Iterator[Delivery]:
    """Yield the failed deliveries of a read's instance before it that were not made up for when it ended."""
    own = [each for each in attempts if each.instance == read.instance]
    for failed in own:
        if failed.is_delivered or failed.was_cancelled or failed.ended_at >= read.began_at:
            continue
        made_up = (
            each.is_delivered and each.version >= failed.version and failed.ended_at < each.ended_at <= read.ended_at
            for each in own
        )
        if not any(made_up):
            yield failed
