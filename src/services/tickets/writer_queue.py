"""Writers of one ticket in this process take turns, before they acquire a connection.

A row that is locked for long, by this process or from outside, would otherwise take all connections of the pool: each
writer of the ticket would wait for the lock with a connection of its own.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Final

from core import deadline
from core.errors import DeadlineExceeded, Overloaded

# As long as the lock_timeout of a session: a writer waits for other writers as long as for the row.
QUEUE_TIMEOUT_S: Final = 3
# Half of MAX_CONCURRENT_REQUESTS by default: requests on other tickets need the other slots.
MAX_WAITING: Final = 50

_held: ContextVar[frozenset[int]] = ContextVar("held", default=frozenset())


class WriterQueue:
    """One queue for each ticket that is being changed, served in the order of arrival; MAX_WAITING writers may wait."""

    def __init__(self, *, timeout_s: float = QUEUE_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._queues: dict[int, deque[asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        """Return how many tickets are being changed."""
        return len(self._queues)

    @asynccontextmanager
    async def turn(self, ticket_ids: Iterable[int]) -> AsyncIterator[None]:
        """Run the block as the only writer of these tickets in this process.

        The ids must be in ascending order, which prevents deadlocks. Raises Overloaded after `timeout_s` seconds, or at
        once if too many writers wait; DeadlineExceeded at the deadline of the request; RuntimeError inside the block of
        another turn, which might wait for itself.
        """
        ticket_ids = tuple(ticket_ids)
        if _held.get():
            raise RuntimeError(f"a change of tickets {ticket_ids} inside a change of {set(_held.get())}")
        async with AsyncExitStack() as stack:
            ends_at = asyncio.get_running_loop().time() + self._timeout_s
            for ticket_id in ticket_ids:
                await self._acquire(ticket_id, ends_at)
                stack.callback(self._release, ticket_id)
            token = _held.set(frozenset(ticket_ids))
            try:
                yield
            finally:
                _held.reset(token)

    async def _acquire(self, ticket_id: int, ends_at: float) -> None:
        queue = self._queues.get(ticket_id)
        if queue is None:
            self._queues[ticket_id] = deque()
            return
        if len(queue) >= MAX_WAITING:
            raise Overloaded(f"too many changes of ticket {ticket_id} wait")
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        request_ends_at = deadline.current()
        is_last_chance = request_ends_at is not None and request_ends_at < ends_at
        try:
            async with asyncio.timeout_at(request_ends_at if is_last_chance else ends_at):
                await turn
        except BaseException as error:
            if turn in queue:
                queue.remove(turn)
            elif not turn.cancelled():  # the turn came in the moment in which the wait ended
                self._release(ticket_id)
            if not isinstance(error, TimeoutError):
                raise
            if is_last_chance:
                raise DeadlineExceeded("the request waited for other changes of the ticket") from None
            raise Overloaded(f"other changes of ticket {ticket_id} are under way") from None

    def _release(self, ticket_id: int) -> None:
        queue = self._queues[ticket_id]
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._queues[ticket_id]
