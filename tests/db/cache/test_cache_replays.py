"""Replays, on real servers, the orders of steps in which simpler caches return an overwritten version.

These are the sequences that `cache_model` finds, and similar ones. Two services on one Redis represent two processes. A
test pauses a process at a step while others continue, so that the test reads as the order that it replays.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.settings import Settings
from db.cache.fence import ticket_key
from db.cache.stored import CacheOutcome
from schemas.tickets import TicketCreate
from services.access.principal import ANONYMOUS
from support.factories import a_ticket, patient_client, raise_fences, settings_for

from .paused_processes import TIMEOUT_S, CachedKey, Paused, Process

HIT, FILLED, NOT_FILLED, SHARED = (CacheOutcome(name) for name in ("hit", "filled", "not filled", "shared"))


@pytest.fixture
async def own_settings(database_dsn: str, redis_address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> Settings:
    # The tests replay orders, not times: no step may time out because the machine is busy.
    for timeout in ("db.cache.ticket_cache.READ_TIMEOUT_S", "db.cache.ticket_cache.INVALIDATE_TIMEOUT_S"):
        monkeypatch.setattr(timeout, TIMEOUT_S)
    return settings_for(database_dsn, *redis_address)


@pytest.fixture
async def processes(own_settings: Settings) -> AsyncIterator[list[Process]]:
    processes = [Process(own_settings), Process(own_settings)]
    await processes[0].redis.warm_up()
    await raise_fences(processes[0].redis, own_settings.redis_prefix)
    yield processes
    for process in processes:
        process.redis.is_crashed = False  # its connections must be closed too
        await process.cache.close()
        await process.database.close()


@pytest.fixture
def one(processes: list[Process]) -> Process:
    return processes[0]


@pytest.fixture
def other(processes: list[Process]) -> Process:
    return processes[1]


@pytest.fixture
async def ticket(one: Process) -> int:
    """A new ticket, at version 1 and not cached."""
    created, _ = await one.service.create(TicketCreate(**a_ticket()), ANONYMOUS)
    return created.ticket_id


@pytest.fixture
async def key(own_settings: Settings, ticket: int) -> AsyncIterator[CachedKey]:
    client = patient_client(own_settings)
    yield CachedKey(client, ticket_key(own_settings.redis_prefix, ticket))
    await client.aclose()


async def test_a_load_followed_by_a_write_is_not_stored(one: Process, other: Process, ticket: int) -> None:
    read = await one.database.after_read.pause(one.read(ticket))
    assert await other.write(ticket) == 2
    assert await read.finish() == (1, NOT_FILLED)
    assert await one.read(ticket) == (2, FILLED)
    assert await other.read(ticket) == (2, HIT)


EVICTIONS = ("never", "after lease", "after database read", "before commit", "after commit", "after acknowledgement")


@pytest.mark.parametrize("evicted", EVICTIONS)
@pytest.mark.parametrize("started", ["before the floor", "after the floor"])
async def test_a_load_of_an_old_version_is_not_stored_wherever_the_key_is_evicted(
    one: Process, other: Process, ticket: int, key: CachedKey, evicted: str, started: str
) -> None:
    async def evict_at(point: str) -> None:
        if point == evicted:
            await key.evict()

    async def start_write() -> Paused[int]:
        write = await other.database.before_commit.pause(other.write(ticket))
        await evict_at("before commit")
        return write

    write = await start_write() if started == "after the floor" else None
    read = await one.database.after_lease.pause(one.read(ticket))
    await evict_at("after lease")
    await read.continue_to(one.database.after_read)
    await evict_at("after database read")
    write = write or await start_write()
    await write.continue_to(other.database.after_commit)
    await evict_at("after commit")
    assert await write.finish() == 2
    await evict_at("after acknowledgement")
    assert await read.finish() == (1, NOT_FILLED)
    assert (await other.read(ticket))[0] == (await one.read(ticket))[0] == 2


async def test_a_body_stored_after_the_floor_was_evicted_is_dropped_before_the_acknowledgement(
    one: Process, other: Process, ticket: int, key: CachedKey
) -> None:
    write = await other.database.before_commit.pause(other.write(ticket))
    await key.evict()
    assert await one.read(ticket) == (1, FILLED)
    assert await write.finish() == 2
    assert await one.read(ticket) == (2, FILLED)


async def test_the_later_of_two_writes_is_read_although_the_earlier_invalidates_last(
    one: Process, other: Process, ticket: int
) -> None:
    oldest = await one.database.after_read.pause(one.read(ticket))
    earlier = await one.database.after_commit.pause(one.write(ticket))
    older = await other.database.after_read.pause(other.read(ticket))
    assert await other.write(ticket) == 3
    assert await oldest.finish() == (1, NOT_FILLED)
    assert await older.finish() == (2, NOT_FILLED)
    assert await other.read(ticket) == (3, FILLED)
    assert await earlier.finish() == 2
    assert await one.read(ticket) == (3, HIT)


async def test_a_write_that_another_one_overtook_is_decided_again(one: Process, other: Process, ticket: int) -> None:
    overtaken = await one.database.before_commit.pause(one.write(ticket))
    assert await other.write(ticket) == 2
    assert await one.read(ticket) == (2, FILLED)
    assert await overtaken.finish() == 3
    assert await other.read(ticket) == (3, FILLED)


async def test_of_two_loads_only_the_one_that_took_the_expired_lease_is_stored(
    one: Process, other: Process, ticket: int, key: CachedKey
) -> None:
    first = await one.database.after_read.pause(one.read(ticket))
    await key.end_lease()
    second = await other.database.after_read.pause(other.read(ticket))
    assert await first.finish() == (1, NOT_FILLED)
    assert await second.finish() == (1, FILLED)


@pytest.mark.parametrize("is_evicted", [False, True])
async def test_a_load_of_an_old_version_whose_lease_another_reader_took_is_not_stored(
    one: Process, other: Process, ticket: int, key: CachedKey, is_evicted: bool
) -> None:
    old = await one.database.after_read.pause(one.read(ticket))
    await key.end_lease()
    assert await other.write(ticket) == 2
    if is_evicted:
        await key.evict()
    new = await other.database.after_read.pause(other.read(ticket))
    assert await old.finish() == (1, NOT_FILLED)
    assert await new.finish() == (2, FILLED)
    assert await one.read(ticket) == (2, HIT)


async def test_a_write_that_crashed_before_its_second_invalidation_is_read_at_once(
    one: Process, other: Process, ticket: int
) -> None:
    assert await one.read(ticket) == (1, FILLED)
    write = await other.database.before_commit.pause(other.write(ticket))
    read = await one.database.after_read.pause(one.read(ticket))
    await write.continue_to(other.database.after_commit)
    other.redis.is_crashed = True
    await write.cancel()
    assert await read.finish() == (1, NOT_FILLED)
    assert (await one.read(ticket))[0] == 2


async def test_after_a_rolled_back_write_reads_continue_and_the_next_version_is_stored(
    one: Process, other: Process, ticket: int
) -> None:
    write = await other.database.before_commit.pause(other.write(ticket))
    await write.cancel()
    assert await one.read(ticket) == (1, NOT_FILLED)
    assert await other.write(ticket) == 2
    assert await one.read(ticket) == (2, FILLED)


async def test_a_reader_joins_a_load_that_is_new_enough(one: Process, ticket: int) -> None:
    leader = await one.database.after_read.pause(one.read(ticket))
    follower = asyncio.create_task(one.read(ticket))
    await one.redis.has_read(2)
    assert await leader.finish() == (1, FILLED)
    assert await follower == (1, SHARED)


async def test_a_reader_rejects_the_result_of_a_load_that_was_overwritten_before_it_joined(
    one: Process, other: Process, ticket: int
) -> None:
    write = await other.database.before_commit.pause(other.write(ticket))
    leader = await one.database.after_read.pause(one.read(ticket))
    assert await write.finish() == 2
    follower = asyncio.create_task(one.read(ticket))
    await one.redis.has_read(2)
    assert await leader.finish() == (1, NOT_FILLED)
    assert await follower == (2, NOT_FILLED)
    assert one.cache.counters.waits == 0  # it joined the load


async def test_a_reader_does_not_join_a_load_whose_lease_an_invalidation_dropped(
    one: Process, other: Process, ticket: int
) -> None:
    leader = await one.database.after_read.pause(one.read(ticket))
    assert await other.write(ticket) == 2
    assert await one.read(ticket) == (2, FILLED)
    assert await leader.finish() == (1, NOT_FILLED)


async def test_a_reader_does_not_join_a_load_while_another_process_has_the_lease(
    one: Process, other: Process, ticket: int, key: CachedKey
) -> None:
    leader = await one.database.after_read.pause(one.read(ticket))
    assert await other.write(ticket) == 2
    await key.evict()
    third = await other.database.after_lease.pause(other.read(ticket))
    assert await one.read(ticket) == (2, NOT_FILLED)
    assert await leader.finish() == (1, NOT_FILLED)
    assert await third.finish() == (2, FILLED)
