"""Writers of one ticket in this process take turns, before they acquire a connection.

A row that is locked for long, by this process or from outside, would otherwise take all connections of the pool: each
writer of the ticket would wait for the lock with a connection of its own.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from core import deadline
from core.errors import DeadlineExceeded, Overloaded

# As long as the lock_timeout of a session: a writer waits for other writers as long as for the row.
QUEUE_TIMEOUT_S: Final = 3


class WriterQueue:
    """One queue for each ticket that is being changed, served in the order of arrival."""

    def __init__(self, *, timeout_s: float = QUEUE_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._queues: dict[int, deque[asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        """Return how many tickets are being changed."""
        return len(self._queues)

    @asynccontextmanager
    async def turn(self, ticket_ids: Iterable[int]) -> AsyncIterator[None]:
        """Run the block as the only writer of these tickets in this process. Ids must ascend, so that none deadlocks.

        Raises Overloaded after `timeout_s` seconds, and DeadlineExceeded at the deadline of the request.
        """
        async with AsyncExitStack() as stack:
            ends_at = asyncio.get_running_loop().time() + self._timeout_s
            for ticket_id in ticket_ids:
                await self._acquire(ticket_id, ends_at)
                stack.callback(self._release, ticket_id)
            yield

    async def _acquire(self, ticket_id: int, ends_at: float) -> None:
        queue = self._queues.get(ticket_id)
        if queue is None:
            self._queues[ticket_id] = deque()
            return
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
