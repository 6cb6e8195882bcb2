import asyncio
from collections.abc import AsyncIterator

import pytest

from db.cache import pending_invalidations as owed_invalidations
from db.cache.pending_invalidations import PendingInvalidations


class Listener:
    """Stands for Redis, which listens or does not, and may be told something while it is being told."""

    def __init__(self) -> None:
        self.is_listening = False
        self.told: list[tuple[int, int]] = []
        self.owed = PendingInvalidations(self._deliver, lifetime_s=60)

    async def _deliver(self, ticket_id: int, version: int) -> bool:
        await asyncio.sleep(0)
        self.meanwhile()
        if self.is_listening:
            self.told.append((ticket_id, version))
        return self.is_listening

    def meanwhile(self) -> None:
        """Do nothing, unless a test says otherwise."""


@pytest.fixture
async def listener(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Listener]:
    monkeypatch.setattr(owed_invalidations, "RETRY_EVERY_S", 0.01)
    listener = Listener()
    yield listener
    await listener.owed.close()


async def until_told(listener: Listener, expected: list[tuple[int, int]]) -> None:
    async with asyncio.timeout(5):
        while sorted(listener.told) != expected:
            await asyncio.sleep(0.01)


async def test_what_is_owed_is_delivered_once_redis_listens(listener: Listener) -> None:
    for ticket_id in range(500):
        listener.owed.add(ticket_id, 2)
    await asyncio.sleep(0.05)
    assert 7 in listener.owed
    listener.is_listening = True
    await until_told(listener, [(ticket_id, 2) for ticket_id in range(500)])
    assert 7 not in listener.owed


async def test_of_two_versions_the_greater_is_owed(listener: Listener) -> None:
    listener.owed.add(1, 9)
    listener.owed.add(1, 8)
    listener.owed.settle(1, 8)
    assert 1 in listener.owed
    listener.is_listening = True
    await until_told(listener, [(1, 9)])


@pytest.mark.parametrize("is_listening", [True, False])
async def test_a_debt_settled_while_another_is_delivered_stops_nothing(listener: Listener, is_listening: bool) -> None:
    for ticket_id in (1, 2, 3):
        listener.owed.add(ticket_id, 2)
    listener.is_listening = is_listening
    listener.meanwhile = lambda: listener.owed.settle(2, 2)  # type: ignore[method-assign]
    await asyncio.sleep(0.05)
    listener.is_listening = True
    async with asyncio.timeout(5):
        while 1 in listener.owed or 3 in listener.owed:
            await asyncio.sleep(0.01)


async def test_beyond_the_most_that_is_owed_the_oldest_are_forgotten(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owed_invalidations, "MAX_PENDING", 3)
    for ticket_id in range(1, 6):
        listener.owed.add(ticket_id, 2)
    assert [ticket_id for ticket_id in range(1, 6) if ticket_id in listener.owed] == [3, 4, 5]


async def test_closing_tries_once_more(listener: Listener) -> None:
    listener.owed.add(1, 2)
    listener.is_listening = True
    await listener.owed.close()
    assert listener.told == [(1, 2)]
