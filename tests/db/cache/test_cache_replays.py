"""The orders in which lesser caches serve what was overwritten, on real servers: each is survived.

They are the ways to a stale read that `cache_model` finds, and their relatives. Two services on one Redis stand for
two processes; a step is held at a gate until others were made, so that a test reads as the order that it replays.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.settings import Settings
from db.cache.ticket_cache import CacheOutcome
from db.redis.client import connect
from schemas.tickets import TicketCreate
from services.access.principal import ANONYMOUS
from support.factories import a_ticket, settings_for

from .held_processes import TIMEOUT_S, CachedKey, Held, Process

HIT, FILLED, NOT_FILLED, SHARED = (CacheOutcome(how) for how in ("hit", "filled", "not filled", "shared"))


@pytest.fixture
async def own_settings(database_dsn: str, redis_address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> Settings:
    # Orders are replayed here, not times: no step is to fail because the machine is busy.
    for budget in (
        "db.cache.ticket_cache.READ_BUDGET_S",
        "db.cache.ticket_cache.INVALIDATE_BUDGET_S",
        "db.redis.client.SOCKET_TIMEOUT_S",
    ):
        monkeypatch.setattr(budget, TIMEOUT_S)
    return settings_for(database_dsn, *redis_address)


@pytest.fixture
async def processes(own_settings: Settings) -> AsyncIterator[list[Process]]:
    processes = [Process(own_settings), Process(own_settings)]
    yield processes
    for process in processes:
        process.redis.is_dead = False  # the dead one's connections are ours to close
        await process.cache.close()
        await process.gates.close()


@pytest.fixture
def one(processes: list[Process]) -> Process:
    return processes[0]


@pytest.fixture
def other(processes: list[Process]) -> Process:
    return processes[1]


@pytest.fixture
async def ticket(one: Process) -> int:
    """A new ticket, in version 1 and not yet cached."""
    created, _ = await one.service.create(TicketCreate(**a_ticket()), ANONYMOUS)
    return created.id


@pytest.fixture
async def key(own_settings: Settings, ticket: int) -> AsyncIterator[CachedKey]:
    client = connect(own_settings)
    yield CachedKey(client, f"{own_settings.redis_prefix}ticket:{{{ticket}}}")
    await client.aclose()


async def test_a_load_that_a_write_overtook_is_not_stored(one: Process, other: Process, ticket: int) -> None:
    read = await one.gates.after_read.hold(one.read(ticket))
    assert await other.write(ticket) == 2
    assert await read.go_on() == (1, NOT_FILLED)
    assert await one.read(ticket) == (2, FILLED)
    assert await other.read(ticket) == (2, HIT)


LOST = ("never", "after lease", "after database read", "before commit", "after commit", "after acknowledgement")


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("begun", ["before the floor", "under the floor"])
async def test_an_overtaken_load_is_not_stored_wherever_the_key_is_lost(
    one: Process, other: Process, ticket: int, key: CachedKey, lost: str, begun: str
) -> None:
    async def now(point: str) -> None:
        if point == lost:
            await key.evict()

    async def begin_to_write() -> Held[int]:
        write = await other.gates.before_commit.hold(other.write(ticket))
        await now("before commit")
        return write

    write = await begin_to_write() if begun == "under the floor" else None
    read = await one.gates.after_lease.hold(one.read(ticket))
    await now("after lease")
    await read.go_on_to(one.gates.after_read)
    await now("after database read")
    write = write or await begin_to_write()
    await write.go_on_to(other.gates.after_commit)
    await now("after commit")
    assert await write.go_on() == 2
    await now("after acknowledgement")
    assert await read.go_on() == (1, NOT_FILLED)
    assert (await other.read(ticket))[0] == (await one.read(ticket))[0] == 2


async def test_what_was_stored_while_the_floor_was_lost_is_gone_with_the_acknowledgement(
    one: Process, other: Process, ticket: int, key: CachedKey
) -> None:
    write = await other.gates.before_commit.hold(other.write(ticket))
    await key.evict()
    assert await one.read(ticket) == (1, FILLED)
    assert await write.go_on() == 2
    assert await one.read(ticket) == (2, FILLED)


async def test_of_two_writers_the_later_is_read_though_the_earlier_invalidates_last(
    one: Process, other: Process, ticket: int
) -> None:
    oldest = await one.gates.after_read.hold(one.read(ticket))
    earlier = await one.gates.after_commit.hold(one.write(ticket))
    older = await other.gates.after_read.hold(other.read(ticket))
    assert await other.write(ticket) == 3
    assert await oldest.go_on() == (1, NOT_FILLED)
    assert await older.go_on() == (2, NOT_FILLED)
    assert await other.read(ticket) == (3, FILLED)
    assert await earlier.go_on() == 2
    assert await one.read(ticket) == (3, HIT)


async def test_of_two_loads_only_the_one_that_took_over_the_ended_lease_is_stored(
    one: Process, other: Process, ticket: int, key: CachedKey
) -> None:
    first = await one.gates.after_read.hold(one.read(ticket))
    await key.end_lease()
    second = await other.gates.after_read.hold(other.read(ticket))
    assert await first.go_on() == (1, NOT_FILLED)
    assert await second.go_on() == (1, FILLED)


@pytest.mark.parametrize("is_evicted", [False, True])
async def test_an_overtaken_load_whose_lease_ended_and_was_taken_over_is_not_stored(
    one: Process, other: Process, ticket: int, key: CachedKey, is_evicted: bool
) -> None:
    old = await one.gates.after_read.hold(one.read(ticket))
    await key.end_lease()
    assert await other.write(ticket) == 2
    if is_evicted:
        await key.evict()
    new = await other.gates.after_read.hold(other.read(ticket))
    assert await old.go_on() == (1, NOT_FILLED)
    assert await new.go_on() == (2, FILLED)
    assert await one.read(ticket) == (2, HIT)


async def test_what_a_writer_committed_that_died_before_its_second_invalidation_is_read_at_once(
    one: Process, other: Process, ticket: int
) -> None:
    assert await one.read(ticket) == (1, FILLED)
    write = await other.gates.before_commit.hold(other.write(ticket))
    read = await one.gates.after_read.hold(one.read(ticket))
    await write.go_on_to(other.gates.after_commit)
    other.redis.is_dead = True
    await write.cancel()
    assert await read.go_on() == (1, NOT_FILLED)
    assert (await one.read(ticket))[0] == 2


async def test_after_a_rolled_back_write_reads_go_on_and_the_next_version_is_stored(
    one: Process, other: Process, ticket: int
) -> None:
    write = await other.gates.before_commit.hold(other.write(ticket))
    await write.cancel()
    assert await one.read(ticket) == (1, NOT_FILLED)
    assert await other.write(ticket) == 2
    assert await one.read(ticket) == (2, FILLED)


async def test_a_reader_joins_a_load_that_is_new_enough(one: Process, ticket: int) -> None:
    leader = await one.gates.after_read.hold(one.read(ticket))
    follower = asyncio.create_task(one.read(ticket))
    await one.redis.has_looked(2)
    assert await leader.go_on() == (1, FILLED)
    assert await follower == (1, SHARED)


async def test_a_reader_does_not_take_from_a_load_what_was_overwritten_before_it_joined(
    one: Process, other: Process, ticket: int
) -> None:
    write = await other.gates.before_commit.hold(other.write(ticket))
    leader = await one.gates.after_read.hold(one.read(ticket))
    assert await write.go_on() == 2
    follower = asyncio.create_task(one.read(ticket))
    await one.redis.has_looked(2)
    assert await leader.go_on() == (1, NOT_FILLED)
    assert await follower == (2, NOT_FILLED)
    assert one.cache.counters.waits == 0  # it did join


async def test_a_reader_does_not_join_a_load_whose_lease_an_invalidation_dropped(
    one: Process, other: Process, ticket: int
) -> None:
    leader = await one.gates.after_read.hold(one.read(ticket))
    assert await other.write(ticket) == 2
    assert await one.read(ticket) == (2, FILLED)
    assert await leader.go_on() == (1, NOT_FILLED)


async def test_a_reader_does_not_join_a_load_while_another_process_has_the_lease(
    one: Process, other: Process, ticket: int, key: CachedKey
) -> None:
    leader = await one.gates.after_read.hold(one.read(ticket))
    assert await other.write(ticket) == 2
    await key.evict()
    third = await other.gates.after_lease.hold(other.read(ticket))
    assert await one.read(ticket) == (2, NOT_FILLED)
    assert await leader.go_on() == (1, NOT_FILLED)
    assert await third.go_on() == (2, FILLED)
