"""The presence of agents on tickets, without any effect on the service while Redis is away."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest

from core.errors import Forbidden, InsufficientScope
from core.settings import Settings
from db.redis.client import connect
from db.redis.guard import GuardedRedis
from db.redis.presence import Presence, PresenceStore
from models import Role, Scope
from services.access.principal import Principal
from services.presence.presences import Presences
from support.factories import patient_client

ALICE, BOB = (Principal(f"person:{number}", Role.AGENT, name=name) for number, name in ((1, "Alice 1"), (2, "Боб")))


@pytest.fixture
def prefix() -> str:
    return f"presence-{secrets.token_hex(4)}:"


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[GuardedRedis]:
    redis = GuardedRedis(patient_client(settings))
    await redis.warm_up()
    yield redis
    await redis.close()


@pytest.fixture
def presences(redis: GuardedRedis, prefix: str) -> Presences:
    return Presences(PresenceStore(redis, prefix=prefix))


async def test_an_agent_sees_others_and_not_itself(presences: Presences) -> None:
    assert await presences.mark(1, ALICE, writes=False) == []
    assert await presences.mark(1, BOB, writes=True) == [Presence("person:1", "Alice 1", writes=False)]
    assert await presences.mark(1, ALICE, writes=True) == [Presence("person:2", "Боб", writes=True)]
    assert await presences.mark(1, BOB, writes=False) == [Presence("person:1", "Alice 1", writes=True)]
    assert await presences.mark(2, BOB, writes=False) == []


async def test_a_list_shows_the_tickets_on_which_others_are(presences: Presences) -> None:
    for ticket_id in range(1, 41):
        await presences.mark(ticket_id, BOB, writes=ticket_id % 2 == 0)
    await presences.mark(3, ALICE, writes=False)
    await presences.mark(41, ALICE, writes=False)
    found = await presences.of(range(1, 51), ALICE)
    assert {ticket_id: [each.writes for each in present] for ticket_id, present in found.items()} == {
        ticket_id: [ticket_id % 2 == 0] for ticket_id in range(1, 41)
    }
    assert {each.principal_id for each in (await presences.of([3], BOB))[3]} == {"person:1"}
    with pytest.raises(ValueError, match="50"):
        await presences.of(range(51), ALICE)


async def test_a_presence_ends_when_the_agent_leaves(presences: Presences) -> None:
    await presences.mark(1, ALICE, writes=True)
    await presences.leave(1, ALICE)
    await presences.leave(2, ALICE)
    assert await presences.mark(1, BOB, writes=False) == []


async def test_a_presence_ends_for_each_agent_by_itself(redis: GuardedRedis, prefix: str) -> None:
    presences = Presences(PresenceStore(redis, prefix=prefix, ttl_ms=600))
    await presences.mark(1, ALICE, writes=False)
    for _ in range(3):
        await asyncio.sleep(0.3)
        present = await presences.mark(1, BOB, writes=False)
    assert present == []
    assert await presences.of([1], ALICE) != {}
    await asyncio.sleep(0.8)
    assert await presences.of([1], ALICE) == {}


async def test_only_agents_have_and_see_presences(presences: Presences) -> None:
    requester = Principal("key:r", Role.REQUESTER, "alice@example.com")
    restricted = Principal("key:c", Role.AGENT, scopes=frozenset({Scope.COMMENT}))
    for principal, error in ((requester, Forbidden), (restricted, InsufficientScope)):
        with pytest.raises(error):
            await presences.mark(1, principal, writes=False)
        with pytest.raises(error):
            await presences.leave(1, principal)
        with pytest.raises(error):
            await presences.of([1], principal)


async def test_without_redis_there_are_no_presences_and_no_errors(settings: Settings, prefix: str) -> None:
    away = GuardedRedis(connect(settings.model_copy(update={"redis_host": "127.0.0.1:1", "redis_port": 1})))
    presences = Presences(PresenceStore(away, prefix=prefix))
    for _ in range(5):
        assert await presences.mark(1, ALICE, writes=True) == []
        assert await presences.of(range(50), ALICE) == {}
        await presences.leave(1, ALICE)
    await away.close()


async def test_presences_touch_no_key_of_the_cache(presences: Presences, redis: GuardedRedis, prefix: str) -> None:
    await presences.mark(7, ALICE, writes=True)
    keys = [key async for key in redis._client.scan_iter(match=f"{prefix}*")]  # noqa: SLF001 - the keys as they are
    assert [bytes(key).decode() for key in keys] == [f"{prefix}presence:7"]
