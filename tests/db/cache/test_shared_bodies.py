"""Responses with the same large body share one copy of it."""

import secrets

from core.settings import Settings
from db.cache.shared_bodies import MAX_BODIES, MIN_SHARED_BYTES, SharedBodies
from db.cache.stored import CacheOutcome, Stored
from support.factories import cache_of


async def test_hits_of_a_large_body_return_the_same_object(settings: Settings) -> None:
    """So clients that read it slowly hold one copy together."""
    ticket_id, loaded = secrets.randbelow(2**40), Stored(1, secrets.token_bytes(256 * 1024))

    async def load() -> Stored:
        return loaded

    async with cache_of(settings) as cache:
        await cache.read_through(ticket_id, load)
        hits = [await cache.read_through(ticket_id, load) for _ in range(3)]
    assert {outcome for _, outcome in hits} == {CacheOutcome.HIT}
    assert {stored.body for stored, _ in hits} == {loaded.body}
    assert len({id(stored.body) for stored, _ in hits}) == 1


def test_another_body_of_the_same_version_and_size_is_not_confused_with_it() -> None:
    bodies = SharedBodies()
    one, other = b"1" * MIN_SHARED_BYTES, b"2" * MIN_SHARED_BYTES
    assert bodies.shared(b"7", one) == one
    assert bodies.shared(b"7", other) == other
    assert bodies.shared(b"7", one) == one


def test_the_number_of_kept_bodies_is_bounded() -> None:
    bodies = SharedBodies()
    for version in range(3 * MAX_BODIES):
        bodies.shared(b"%d" % version, bytes(MIN_SHARED_BYTES))
    assert len(bodies._bodies) == MAX_BODIES  # noqa: SLF001 - the test counts what is kept
