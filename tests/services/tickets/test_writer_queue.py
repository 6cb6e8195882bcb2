"""Writers of one ticket take turns, and do not wait for ever."""

import asyncio
import contextlib
import contextvars
from collections.abc import Coroutine
from typing import Any

import pytest

from core import deadline
from core.errors import DeadlineExceeded, Overloaded
from services.tickets.writer_queue import MAX_WAITING, WriterQueue


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
    async with queue.turn([1, 2]):
        await in_another_request(enter(queue, 3))
        assert len(queue) == 2


async def test_a_writer_that_waits_too_long_is_refused() -> None:
    queue = WriterQueue(timeout_s=0.02)
    async with queue.turn([2]):
        with pytest.raises(Overloaded):
            await in_another_request(enter(queue, 1, 2))
        await in_another_request(enter(queue, 1))  # the writer that was refused gave its other tickets back
    assert len(queue) == 0


async def test_a_writer_beyond_the_bound_of_a_queue_is_refused_at_once() -> None:
    queue = WriterQueue()
    async with queue.turn([1]):
        waiting = [asyncio.create_task(in_another_request(enter(queue, 1))) for _ in range(MAX_WAITING)]
        await asyncio.sleep(0.01)
        with pytest.raises(Overloaded):
            await in_another_request(enter(queue, 1))
        await in_another_request(enter(queue, 2))
    await asyncio.gather(*waiting)
    assert len(queue) == 0


async def test_a_writer_does_not_wait_beyond_the_deadline_of_its_request() -> None:
    queue = WriterQueue()

    async def hurried() -> None:
        deadline.begin(0.02)
        await enter(queue, 1)

    async with queue.turn([1]):
        with pytest.raises(DeadlineExceeded):
            await in_another_request(hurried())


async def test_a_change_inside_a_change_is_refused() -> None:
    queue = WriterQueue()
    async with queue.turn([1]):
        with pytest.raises(RuntimeError):
            await enter(queue, 2)
    await enter(queue, 1)


async def test_a_cancelled_writer_leaves_its_turn_to_the_next() -> None:
    queue = WriterQueue()
    entered = asyncio.Event()

    async def write() -> None:
        async with queue.turn([1]):
            entered.set()

    async with queue.turn([1]):
        cancelled, next_one = (asyncio.create_task(write(), context=contextvars.Context()) for _ in range(2))
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

    fresh = contextvars.Context()
    cancelled, next_one = (asyncio.create_task(write(), context=fresh.copy()) for _ in range(2))
    async with queue.turn([1]):
        await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait_for(next_one, 1)
    assert len(queue) == 0


async def enter(queue: WriterQueue, *ticket_ids: int) -> None:
    async with queue.turn(ticket_ids):
        pass


async def in_another_request(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in a context of its own, as each request is."""
    await asyncio.create_task(work, context=contextvars.Context())
