"""The invalidations of one change: the writer's side of the cache protocol.

A writer invalidates before its commit and again after it. An invalidation that does not arrive leaves a body that may
be served. The writer then lets the fence of its group expire before it is acknowledged, so that no read that begins
after the acknowledgement gets such a body.
"""

import asyncio
from collections.abc import Iterable, Mapping

from core.errors import OutcomeUnknown, Unavailable
from db.cache.fence import group_of
from db.cache.fence_groups import FenceGroups, Mark
from db.cache.ticket_cache import TicketCache
from db.postgres.session import Session


class Invalidation:
    """Invalidates tickets for one transaction; `floors` maps their ids to the versions that it commits."""

    def __init__(self, cache: TicketCache, groups: FenceGroups, floors: Mapping[int, int]) -> None:
        self._cache = cache
        self._groups = groups
        self._floors = floors
        # The tickets whose first invalidation arrived.
        self._arrived: set[int] = set()
        self._marks: dict[int, Mark] = {}

    async def before_commit(self, connection: Session) -> None:
        """Raise the floors; mark the groups whose floors did not arrive, in the transaction of `connection`.

        The rows of the groups are locked after those of the tickets.
        """
        if not await self.raise_floors():
            lost = self._floors.keys() - self._arrived
            self._marks = await self._groups.mark_down(connection, _groups_of(lost))

    async def raise_floors(self) -> bool:
        """Raise the floors, and return whether they all arrived; if not, the change needs `before_commit`."""
        lost = await self._invalidate()
        self._arrived = self._floors.keys() - lost
        return not lost

    async def after_commit(self) -> None:
        """Invalidate again, and return when the change may be acknowledged.

        Raises OutcomeUnknown when that cannot be ensured because PostgreSQL became unavailable after the commit.
        """
        lost = _groups_of(await self._invalidate())
        unmarked = lost - self._marks.keys()
        if unmarked:
            try:
                await self._groups.mark_down_and_wait(unmarked)
            except Unavailable as error:
                raise OutcomeUnknown("the change is committed, but the cache may still serve an older body") from error
        waited = await self._groups.wait_until_dead({group: self._marks[group] for group in lost - unmarked})
        self._cache.counters.fence_waits += bool(unmarked) or waited

    async def after_failure(self) -> None:
        """Invalidate again after a rollback, or a commit of unknown outcome: neither is acknowledged."""
        await self._invalidate()

    async def _invalidate(self) -> set[int]:
        """Invalidate the bodies for every audience; return the tickets whose invalidation did not arrive."""
        if len(self._floors) == 1:  # nearly always, and without the cost of a task
            ((ticket_id, version),) = self._floors.items()
            return set() if await self._invalidate_one(ticket_id, version) else {ticket_id}
        arrived = await asyncio.gather(*(self._invalidate_one(*floor) for floor in self._floors.items()))
        return {ticket_id for ticket_id, has_arrived in zip(self._floors, arrived, strict=True) if not has_arrived}

    async def _invalidate_one(self, ticket_id: int, version: int) -> bool:
        # Until the first one has arrived, a body of this version may be one of a commit that PostgreSQL lost.
        first = ticket_id not in self._arrived
        return await (self._cache.invalidate_before if first else self._cache.invalidate)(ticket_id, version)


def _groups_of(ticket_ids: Iterable[int]) -> set[int]:
    return {group_of(ticket_id) for ticket_id in ticket_ids}
