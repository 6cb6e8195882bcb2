"""Whether a read that was too old is within what the design allows, and nothing else.

Allowed is one thing: a version that Redis could not be told of, or whose floor it lost before the commit, may be hidden
for one time to live by an older one that was stored in between, though not from the instance that knows that it failed
to tell Redis. Everything else that is read too old is a violation.
"""

from collections.abc import Iterator
from typing import Final

from chaos.history import CacheRecord, Delivery, Operation
from db.cache.ticket_cache import BODY_MS, LEASE_MS

BOUND_S: Final = (BODY_MS + LEASE_MS) / 1000

# The other answers come from the database, asked after the read began.
_FROM_ELSEWHERE: Final = ("hit", "collapsed")


def excuse(read: Operation, cache: CacheRecord) -> tuple[bool, str]:
    """Return whether a read that was too old is allowed, and why or why not."""
    assert read.ticket_id is not None
    assert read.version is not None
    stale = read.version
    tried = [each for each in cache.deliveries.get(read.ticket_id, ()) if each.version > stale]
    for reason in _reasons_against(read, stale, tried, cache):
        return False, reason
    if any(each.is_delivered for each in _due(read, stale, tried)):
        return True, "the floor was lost before the commit, and no invalidation followed the commit"
    return True, "no invalidation reached Redis"


def _reasons_against(read: Operation, stale: int, tried: list[Delivery], cache: CacheRecord) -> Iterator[str]:
    assert read.ticket_id is not None
    overwritten_at = cache.committed_by.get((read.ticket_id, stale + 1))
    if not read.how.endswith(_FROM_ELSEWHERE):
        yield "though it was loaded from the database"
    if overwritten_at is None:
        yield "though nothing is known of the write after it"
    elif read.began_at > overwritten_at + BOUND_S:
        yield f"{read.began_at - overwritten_at:.0f} s after it was overwritten"
    for each in tried:
        if each.is_delivered and each.ended_at <= read.began_at and _protects(each, stale, cache):
            yield f"though Redis knew ({each})"
    for each in _owed(tried, read):
        yield f"though its own instance knew that Redis did not ({each})"
    if not any(_due(read, stale, tried)):
        yield "though nobody had tried to tell Redis before the commit"


def _due(read: Operation, stale: int, tried: list[Delivery]) -> Iterator[Delivery]:
    """Yield the attempts, over when the read began, to tell of the version right after the stale one."""
    return (each for each in tried if each.version == stale + 1 and each.ended_at <= read.began_at)


def _protects(delivery: Delivery, stale: int, cache: CacheRecord) -> bool:
    """Return whether, after this delivery, Redis could not hold the stale version any more.

    The floor of a later write comes after the commit of every version before it. That of the version right after the
    stale one may come before the commit, and be lost before it; then the stale one can be stored again.
    """
    committed_by = cache.committed_by.get((delivery.ticket_id, delivery.version))
    if delivery.version > stale + 1 or committed_by is None:
        return True
    return not any(
        lost_at <= committed_by and lost_until >= delivery.began_at
        for lost_at, lost_until in cache.losses.get(delivery.ticket_id, ())
    )


def _owed(tried: list[Delivery], read: Operation) -> Iterator[Delivery]:
    """Yield what the instance of a read failed to deliver before it, and had not made up for when it ended."""
    own = [each for each in tried if each.instance == read.instance]
    for failed in own:
        if failed.is_delivered or failed.was_cancelled or failed.ended_at >= read.began_at:
            continue
        made_up = (
            each.is_delivered and each.version >= failed.version and failed.ended_at < each.ended_at <= read.ended_at
            for each in own
        )
        if not any(made_up):
            yield failed
