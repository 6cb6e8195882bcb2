"""The fence on real servers: nothing is served stale when an invalidation cannot reach Redis."""

import asyncio
import secrets
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest

from core.errors import OutcomeUnknown
from core.settings import Settings
from db.cache.fence import FenceRenewer, fence_key, group_of, ticket_key
from db.cache.fence_groups import FENCE_MS, WINDOW_MS, FenceGroups, Mark
from db.cache.invalidation import Invalidation
from db.cache.scripts import RENEW
from db.embedded import EmbeddedValkey
from db.postgres.database import Database
from db.redis.batches import Batches
from db.redis.client import connect
from db.redis.guard import GuardedRedis
from models import FENCE_GROUPS
from support.factories import cache_of, open_ticket, running, settings_for

HIT = "tickets; hit"
STALE = "tickets; hit; detail=stale-if-error"


@pytest.fixture(scope="module")
def valkey(server_folder: Path) -> Iterator[EmbeddedValkey]:
    valkey = EmbeddedValkey(server_folder / f"fence-{secrets.token_hex(4)}", nodes=3)
    try:
        valkey.start()
        valkey.wait_until_formed()
        yield valkey
    finally:
        valkey.stop()


@pytest.fixture
def own_settings(own_database_dsn: str, valkey: EmbeddedValkey) -> Settings:
    return settings_for(own_database_dsn, "127.0.0.1", valkey.port)


@pytest.fixture
async def clients(own_settings: Settings) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Clients of two processes of the service, in so far as each has connections and memory of its own."""
    async with AsyncExitStack() as stack:
        yield [(await stack.enter_async_context(running(own_settings)))[1] for _ in range(2)]


@pytest.fixture
async def groups(own_settings: Settings) -> AsyncIterator[FenceGroups]:
    assert own_settings.database_dsn is not None
    database = Database(own_settings.database_dsn.get_secret_value(), pool_size=3)
    yield FenceGroups(database)
    await database.close()


@pytest.fixture
async def redis(own_settings: Settings) -> AsyncIterator[GuardedRedis]:
    redis = GuardedRedis(connect(own_settings))
    await redis.warm_up()
    yield redis
    await redis.close()


def signal_all(valkey: EmbeddedValkey, signum: signal.Signals) -> None:
    for node in valkey.nodes:
        node.signal(signum)


async def until_hit(client: httpx2.AsyncClient, path: str, timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while (await client.get(path)).headers["Cache-Status"] != HIT:
            await asyncio.sleep(0.02)


async def test_a_write_during_an_outage_is_never_hidden_from_another_process(
    clients: list[httpx2.AsyncClient], valkey: EmbeddedValkey
) -> None:
    one, other = clients
    paths = [f"/tickets/{(await open_ticket(one))['id']}" for _ in range(8)]
    for path in paths:
        for client in clients:
            await until_hit(client, path)
    signal_all(valkey, signal.SIGSTOP)
    written = await asyncio.gather(*(one.patch(path, json={"subject": "new"}) for path in paths))
    assert [response.status_code for response in written] == [200] * len(paths)
    signal_all(valkey, signal.SIGCONT)
    # As soon as the nodes respond again, the other process may read what they hold.
    ends_at = time.monotonic() + 1.5
    while time.monotonic() < ends_at:
        for path in paths:
            assert (await other.get(path)).json()["subject"] == "new"
    for path in paths:
        for client in clients:
            await until_hit(client, path)
            assert (await client.get(path)).json()["subject"] == "new"


async def test_a_lost_second_invalidation_is_waited_for_as_well(
    clients: list[httpx2.AsyncClient], own_settings: Settings, groups: FenceGroups, valkey: EmbeddedValkey
) -> None:
    ticket = await open_ticket(clients[0])
    path = f"/tickets/{ticket['id']}"
    await until_hit(clients[1], path)
    async with cache_of(own_settings) as cache:
        invalidation = Invalidation(cache, groups, {ticket["id"]: 2})
        async with groups._database.transaction() as connection:  # noqa: SLF001 - the transaction of a writer
            await invalidation.before_commit(connection)
            await connection.execute("UPDATE tickets SET subject = 'new', version = 2 WHERE id = $1", ticket["id"])
            signal_all(valkey, signal.SIGSTOP)
        await invalidation.after_commit()
        signal_all(valkey, signal.SIGCONT)
    assert (await clients[1].get(path)).json()["subject"] == "new"


async def test_a_commit_whose_mark_fails_has_an_unknown_outcome(
    own_settings: Settings, groups: FenceGroups, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cache_of(own_settings) as cache:

        async def lost(*_: object) -> bool:
            return False

        monkeypatch.setattr(cache, "invalidate_before", lost)
        await groups._database.close()  # noqa: SLF001 - PostgreSQL goes away after the commit
        with pytest.raises(OutcomeUnknown):
            await Invalidation(cache, groups, {1: 2}).after_commit()


async def test_only_the_first_writers_of_an_outage_wait(groups: FenceGroups) -> None:
    began_at = time.monotonic()
    assert await groups.wait_until_dead(await marked(groups, 3))
    waited_until = time.monotonic()
    assert waited_until - began_at > (FENCE_MS + WINDOW_MS) / 1000
    assert not await groups.wait_until_dead(await marked(groups, 3))
    assert time.monotonic() - waited_until < FENCE_MS / 1000


async def marked(groups: FenceGroups, *numbers: int) -> dict[int, Mark]:
    async with groups._database.transaction() as connection:  # noqa: SLF001 - the transaction of a writer
        return await groups.mark_down(connection, numbers)


async def test_a_mark_of_another_timeline_is_waited_for_again(groups: FenceGroups) -> None:
    """After a failover that lost commits, a group may be down again with a number that was known before."""
    mark = (await marked(groups, 4))[4]
    groups._known_down[4] = (Mark("00000000", mark.downs), 0.0)  # noqa: SLF001 - known from before the failover
    assert groups.noticed_down(4, mark) > time.monotonic() - 5
    assert mark.timeline != "00000000"


async def test_many_writers_mark_a_group_once(groups: FenceGroups) -> None:
    marks = await asyncio.gather(*(marked(groups, 5, 6) for _ in range(10)))
    assert [{group: mark.downs for group, mark in each.items()} for each in marks] == [{5: 1, 6: 1}] * 10


async def test_a_group_stays_down_while_a_writer_relies_on_it(groups: FenceGroups) -> None:
    downs = await marked(groups, 7)
    groups._known_down[7] = (downs[7], time.monotonic() - 10)  # noqa: SLF001 - known for long
    async with groups._database.transaction() as writer:  # noqa: SLF001 - a writer that saw the group down
        assert await groups.mark_down(writer, [7]) == downs
        assert not await groups.set_up(7, downs[7])
    assert await groups.set_up(7, downs[7])
    assert not await groups.set_up(7, downs[7])


async def test_a_group_that_was_just_marked_is_not_set_up(groups: FenceGroups) -> None:
    downs = await marked(groups, 8)
    assert not await groups.set_up(8, downs[8])
    assert (await groups.read_states())[1] == downs


async def test_a_renewal_that_arrives_late_is_void(redis: GuardedRedis, own_settings: Settings) -> None:
    key = fence_key(own_settings.redis_prefix, 0)
    (now,) = (await Batches(redis).clocks([key], timeout_s=2)).values()

    async def renew(read_at: int, epoch: str) -> int:
        result: int = await redis.run(RENEW, key, read_at, WINDOW_MS, FENCE_MS, FENCE_MS * 2 // 3, epoch, timeout_s=2)
        return result

    assert await renew(now - WINDOW_MS - 1_000, "late") == 0
    assert await renew(now + 60_000, "from the future") == 0
    (now,) = (await Batches(redis).clocks([key], timeout_s=2)).values()
    assert await renew(now, "first") == 1
    assert await renew(now, "second") == 2
    assert (await redis.read_with(key + "-none", "v", other=key, timeout_s=2))[1] == b"first"


async def test_fences_of_groups_that_are_down_expire_and_come_back_with_a_new_epoch(
    redis: GuardedRedis, groups: FenceGroups, own_settings: Settings
) -> None:
    renewer = FenceRenewer(redis, groups, prefix=own_settings.redis_prefix)
    key = fence_key(own_settings.redis_prefix, 9)

    async def epoch() -> bytes | None:
        return (await redis.read_with(f"{key}-none", "v", other=key, timeout_s=2))[1]

    await renewer.renew()
    first = await epoch()
    assert first is not None
    await marked(groups, 9)
    async with asyncio.timeout(10):
        while await epoch() is not None:
            await renewer.renew()
            await asyncio.sleep(0.05)
        while (second := await epoch()) is None:
            await renewer.renew()
            await asyncio.sleep(0.05)
    assert second != first


async def test_every_ticket_shares_a_slot_with_its_fence(own_settings: Settings) -> None:
    for ticket_id in (1, 31, 32, 33, 2**62):
        key = ticket_key(own_settings.redis_prefix, ticket_id)
        tag = f"{{g{group_of(ticket_id)}}}"
        assert tag in key
        assert tag in fence_key(own_settings.redis_prefix, group_of(ticket_id))
        assert 0 <= group_of(ticket_id) < FENCE_GROUPS


@pytest.mark.parametrize("stale_if_error", [True, False])
async def test_without_postgresql_a_lookup_is_stale_and_says_so_or_is_refused(
    own_settings: Settings, *, stale_if_error: bool
) -> None:
    settings = own_settings.model_copy(update={"stale_if_error": stale_if_error})
    async with running(settings) as (app, client):
        path = f"/tickets/{(await open_ticket(client))['id']}"
        await until_hit(client, path)
        await app.state.tickets._database.close()  # noqa: SLF001 - PostgreSQL is away for this process
        async with asyncio.timeout(10):
            while (response := await client.get(path)).headers.get("Cache-Status") == HIT:
                await asyncio.sleep(0.05)
        if stale_if_error:
            assert (response.status_code, response.headers["Cache-Status"]) == (200, STALE)
            assert (await client.get(path)).headers["Cache-Status"] == STALE
        else:
            assert response.status_code == 503


async def test_a_primary_that_hands_its_slots_over_serves_no_hit(
    clients: list[httpx2.AsyncClient], valkey: EmbeddedValkey
) -> None:
    path = f"/tickets/{(await open_ticket(clients[0]))['id']}"
    await until_hit(clients[0], path)
    for node in valkey.nodes:
        with node.client() as admin:  # as `CLUSTER FAILOVER` does on the primary, until it learns of its successor
            admin.client_pause(300, all=False)
    assert (await clients[0].get(path)).headers["Cache-Status"] != HIT
    await until_hit(clients[0], path)


async def test_a_response_to_an_edit_without_a_change_acknowledges_the_version_of_a_dead_writer(
    clients: list[httpx2.AsyncClient], own_settings: Settings
) -> None:
    ticket = await open_ticket(clients[0])
    path = f"/tickets/{ticket['id']}"
    await until_hit(clients[1], path)
    # A writer that died after its commit, and whose floor was evicted before it.
    assert own_settings.database_dsn is not None
    database = Database(own_settings.database_dsn.get_secret_value(), pool_size=1)
    async with database.transaction() as connection:
        await connection.execute("UPDATE tickets SET subject = 'new', version = 2 WHERE id = $1", ticket["id"])
    await database.close()
    assert (await clients[1].get(path)).json()["version"] == 1
    repeated = await clients[0].patch(path, json={"subject": "new"})
    assert (repeated.status_code, repeated.json()["version"]) == (200, 2)
    assert (await clients[1].get(path)).json()["version"] == 2
