"""Writers of one ticket take turns, and do not wait for ever."""

import asyncio
import contextlib

import pytest

from core import deadline
from core.errors import DeadlineExceeded, Overloaded
from services.tickets.writer_queue import WriterQueue


async def test_writers_come_in_the_order_in_which_they_arrived() -> None:
    queue, order = WriterQueue(), []

    async def write(number: int) -> None:
        async with queue.turn([1]):
            await asyncio.sleep(0)
            order.append(number)

    await asyncio.gather(*(write(number) for number in range(5)))
    assert order == list(range(5))
    assert len(queue) == 0


async def test_writers_of_different_tickets_do_not_wait() -> None:
    queue = WriterQueue()
    async with queue.turn([1, 2]), queue.turn([3]):
        assert len(queue) == 3


async def test_a_writer_that_waits_too_long_is_refused() -> None:
    queue = WriterQueue(timeout_s=0.02)
    async with queue.turn([2]):
        with pytest.raises(Overloaded):
            async with queue.turn([1, 2]):
                pytest.fail("two writers at once")
        async with queue.turn([1]):  # the turn that was refused gave its other tickets back
            pass
    assert len(queue) == 0


async def test_a_writer_does_not_wait_beyond_the_deadline_of_its_request() -> None:
    queue = WriterQueue()
    token = deadline.begin(0.02)
    try:
        async with queue.turn([1]):
            with pytest.raises(DeadlineExceeded):
                async with queue.turn([1]):
                    pytest.fail("two writers at once")
    finally:
        deadline.end(token)


async def test_a_cancelled_writer_leaves_its_turn_to_the_next() -> None:
    queue = WriterQueue()
    entered = asyncio.Event()

    async def write() -> None:
        async with queue.turn([1]):
            entered.set()

    async with queue.turn([1]):
        cancelled, next_one = asyncio.create_task(write()), asyncio.create_task(write())
        await asyncio.sleep(0)
        cancelled.cancel()
    await asyncio.wait_for(next_one, 1)
    with contextlib.suppress(asyncio.CancelledError):
        await cancelled
    assert len(queue) == 0


async def test_a_writer_that_is_cancelled_just_as_its_turn_comes_hands_it_on() -> None:
    queue = WriterQueue()

    async def write() -> None:
        async with queue.turn([1]):
            pass

    turn = queue.turn([1])
    await turn.__aenter__()
    cancelled, next_one = asyncio.create_task(write()), asyncio.create_task(write())
    await asyncio.sleep(0)
    await turn.__aexit__(None, None, None)
    cancelled.cancel()
    await asyncio.wait_for(next_one, 1)
    assert len(queue) == 0
