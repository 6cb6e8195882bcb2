"""The invalidations of one change: the writer's side of the cache protocol.

A writer invalidates before its commit and again after it. An invalidation that does not arrive leaves a body that may
be served. The writer then lets the fence of its group expire before it is acknowledged, so that no read that begins
after the acknowledgement gets such a body.
"""

import asyncio
from collections.abc import Iterable, Mapping

from core.errors import OutcomeUnknown, Unavailable
from db.cache.fence import group_of
from db.cache.fence_groups import FenceGroups
from db.cache.ticket_cache import TicketCache
from db.postgres.session import Session


class Invalidation:
    """Invalidates tickets for one transaction; `floors` maps their ids to the versions that it commits."""

    def __init__(self, cache: TicketCache, groups: FenceGroups, floors: Mapping[int, int]) -> None:
        self._cache = cache
        self._groups = groups
        self._floors = floors
        self._downs: dict[int, int] = {}

    async def before_commit(self, connection: Session) -> None:
        """Raise the floors; have the groups down whose floors did not arrive, in the transaction of `connection`.

        The rows of the groups are locked after those of the tickets.
        """
        lost = await self._invalidate(is_committed=False)
        if lost:
            self._downs = await self._groups.mark_down(connection, _groups_of(lost))

    async def after_commit(self) -> None:
        """Invalidate again, and return when the change may be acknowledged.

        Raises OutcomeUnknown when that cannot be ensured because PostgreSQL became unavailable after the commit.
        """
        lost = _groups_of(await self._invalidate(is_committed=True))
        if not lost:
            return
        unmarked = lost - self._downs.keys()
        if unmarked:
            try:
                self._downs |= await self._groups.mark_down_now(unmarked)
            except Unavailable as error:
                raise OutcomeUnknown("the change is committed, but the cache may still serve an older body") from error
        if await self._groups.wait_until_dead({group: self._downs[group] for group in lost}):
            self._cache.counters.fence_waits += 1

    async def after_failure(self) -> None:
        """Invalidate again after a rollback, or a commit of unknown outcome: neither is acknowledged."""
        await self._invalidate(is_committed=True)

    async def _invalidate(self, *, is_committed: bool) -> list[int]:
        """Return the tickets whose invalidation did not arrive, of bodies for every audience."""
        invalidate = self._cache.invalidate if is_committed else self._cache.invalidate_before
        if len(self._floors) == 1:  # nearly always, and without the cost of a task
            ((ticket_id, version),) = self._floors.items()
            return [] if await invalidate(ticket_id, version) else [ticket_id]
        arrived = await asyncio.gather(*(invalidate(*floor) for floor in self._floors.items()))
        return [ticket_id for ticket_id, has_arrived in zip(self._floors, arrived, strict=True) if not has_arrived]


def _groups_of(ticket_ids: Iterable[int]) -> set[int]:
    return {group_of(ticket_id) for ticket_id in ticket_ids}
