"""A stale read is allowed in other instances, for one time to live, if the invalidation did not reach Redis."""

from dataclasses import replace

from chaos.history import CacheRecord, Delivery, Kind, Operation, Outcome
from chaos.staleness import BOUND_S, excuse

# Instance 1 wrote version 2. A second later, instance 2 reads version 1.
STALE = Operation(
    kind=Kind.READ,
    ticket_id=1,
    version=1,
    outcome=Outcome.ACKNOWLEDGED,
    began_at=11,
    ended_at=11.1,
    instance=2,
    how="tickets; hit",
)
COMMITTED_AT = 10.0


def record(*deliveries: tuple[float, bool], version: int = 2, instance: int = 1) -> CacheRecord:
    cache = CacheRecord()
    cache.committed_by[1, 2] = COMMITTED_AT
    for began_at, is_delivered in deliveries:
        cache.add(Delivery(1, version, instance, began_at, began_at + 0.01, is_delivered))
    return cache


FAILED = ((9.5, False), (10.0, False))


def test_allowed_in_another_instance_when_the_invalidation_failed() -> None:
    assert excuse(STALE, record(*FAILED)) == (True, "no invalidation reached Redis")


def test_not_allowed_in_the_instance_that_knows_of_the_failure() -> None:
    assert not excuse(replace(STALE, instance=1), record(*FAILED))[0]


def test_an_instance_does_not_know_of_a_cancelled_attempt() -> None:
    cache = record(*FAILED)
    cache.add(Delivery(1, 3, 2, 10.4, 10.5, is_delivered=False, was_cancelled=True))
    assert excuse(STALE, cache)[0]


def test_not_allowed_after_the_bound() -> None:
    late = COMMITTED_AT + BOUND_S
    assert excuse(replace(STALE, began_at=late - 0.1, ended_at=late), record(*FAILED))[0]
    assert not excuse(replace(STALE, began_at=late + 0.1, ended_at=late + 0.2), record(*FAILED))[0]


def test_not_allowed_for_a_load_from_the_database() -> None:
    for how in ("tickets; fwd=bypass", "tickets; fwd=miss", "tickets; fwd=miss; stored"):
        assert not excuse(replace(STALE, how=how), record(*FAILED))[0]


def test_not_allowed_after_a_later_invalidation_of_the_same_version() -> None:
    assert not excuse(STALE, record(*FAILED, (10.5, True)))[0]
    assert excuse(STALE, record(*FAILED, (11.05, True)))[0]


def test_not_allowed_after_the_invalidation_of_a_later_write() -> None:
    cache = record(*FAILED)
    cache.add(Delivery(1, 3, 2, 10.5, 10.6, is_delivered=True))
    assert not excuse(STALE, cache)[0]


def test_not_allowed_when_the_floor_existed_and_the_writer_was_killed() -> None:
    assert not excuse(STALE, record((9.5, True)))[0]


def test_allowed_when_the_floor_was_lost_before_the_commit_and_nothing_followed_it() -> None:
    cache = record((9.5, True))
    cache.losses[1] = [(9.6, 9.7)]
    assert excuse(STALE, cache)[0]
    cache.losses[1] = [(10.1, 10.2)]
    assert not excuse(STALE, cache)[0]


def test_not_allowed_when_no_invalidation_was_attempted_in_time() -> None:
    assert not excuse(STALE, record())[0]
    assert not excuse(STALE, record((11.05, True)))[0]
    assert not excuse(STALE, record((11.05, False)))[0]
