"""The states of the fence groups in PostgreSQL: the writer's side of the fence (see `db.cache.fence`).

A writer that could not invalidate marks the groups of its tickets `down`, at best in the transaction of its change.
Renewers then let the fences of these groups expire. The writer is acknowledged only when no fence can be alive that was
renewed on an older reading of the state.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import ARRAY, BigInteger, SmallInteger, Text, bindparam, func, literal_column, select, update

from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Statement, constant
from models import FenceGroup, FenceState, table_of

FENCE_MS: Final = 600
"""How long a fence lives without being renewed; well under the cluster's node timeout."""
WINDOW_MS: Final = FENCE_MS // 6
"""How old the reading of the states may be when a renewal arrives."""
DEAD_AFTER_S: Final = (FENCE_MS + WINDOW_MS) * 1.2 / 1000
"""After so long in state `down` no fence is alive that was renewed earlier; with 20 % for the rates of clocks."""

_groups: Final = table_of(FenceGroup)
_ids: Final = bindparam("ids", type_=ARRAY(SmallInteger))
_group: Final = bindparam("group_id", type_=SmallInteger)
_downs: Final = bindparam("known_downs", type_=BigInteger)
_is_up: Final = _groups.c.state == constant(FenceState.UP)
_is_down: Final = _groups.c.state == constant(FenceState.DOWN)
# A failover to a standby that lacks the latest commits begins another timeline, in which numbers are used again.
_timeline: Final = func.substr(
    func.pg_walfile_name(func.pg_current_wal_lsn()), literal_column("1"), literal_column("8"), type_=Text
).label("timeline")

SELECT_STATES: Final = Statement(
    select(_groups.c.id, _groups.c.state, _groups.c.downs, _timeline).order_by(_groups.c.id)
)
# The lock keeps a group down until the writer's transaction ends: to set it up waits for the lock.
_SHARE_DOWN: Final = Statement(
    select(_groups.c.downs, _timeline)
    .where(_groups.c.id == func.any(_ids), _is_down)
    .order_by(_groups.c.id)
    .with_for_update(read=True)
)
_MARK_DOWN: Final = Statement(
    update(_groups)
    .values(state=constant(FenceState.DOWN), downs=_groups.c.downs + literal_column("1", BigInteger))
    .where(_groups.c.id == _group, _is_up)
    .returning(_groups.c.downs, _timeline)
)
_SET_UP: Final = Statement(
    update(_groups)
    .values(state=constant(FenceState.UP))
    .where(
        _groups.c.id.in_(
            select(_groups.c.id)
            .where(_groups.c.id == _group, _is_down, _groups.c.downs == _downs)
            .with_for_update(skip_locked=True)
        )
    )
    .returning(_groups.c.id)
)

_TIMELINE: Final = Statement(select(_timeline))


class Mark(NamedTuple):
    """What distinguishes one time that a group is down from another: PostgreSQL's timeline, and the group's `downs`."""

    timeline: str
    downs: int


Marks = Mapping[int, Mark]
"""Groups that are down, with their marks."""


class FenceGroups:
    """Marks groups down and up, and remembers since when this process has known each to be down."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known_down: dict[int, tuple[Mark, float]] = {}

    @property
    def down(self) -> int:
        """How many groups are down, as far as this process knows."""
        return len(self._known_down)

    async def mark_down(self, connection: Session, groups: Iterable[int]) -> dict[int, Mark]:
        """Have these groups down from the commit of the transaction on; locks their rows, in ascending order.

        Of many writers one marks a group, and the others share the lock of the marked row.
        """
        marks: dict[int, Mark] = {}
        for group in sorted(groups):
            while group not in marks:
                row = await connection.one_or_none(_SHARE_DOWN, ids=[group])
                row = row or await connection.one_or_none(_MARK_DOWN, group_id=group)
                if row is not None:
                    marks[group] = Mark(row.timeline, row.downs)
        return marks

    async def mark_down_and_wait(self, groups: Iterable[int]) -> None:
        """Mark groups down in a transaction of its own, and wait as `wait_until_dead` does. Raises Unavailable.

        Does so again if PostgreSQL failed over meanwhile: the mark may be lost then.
        """
        while True:
            async with self._database.transaction() as connection:
                marks = await self.mark_down(connection, groups)
            await self.wait_until_dead(marks)
            async with self._database.control() as connection:
                timeline = await connection.value(_TIMELINE)
            if all(mark.timeline == timeline for mark in marks.values()):
                return

    async def wait_until_dead(self, marks: Marks) -> bool:
        """Return when no fence of these groups can be alive that was renewed before they were marked.

        The result is whether that took any time. Only the first writers of an outage wait: the time counts from the
        moment in which this process knew the mark.
        """
        since = [self.noticed_down(group, mark) for group, mark in marks.items()]
        left_s = max(since, default=float("-inf")) + DEAD_AFTER_S - time.monotonic()
        await asyncio.sleep(left_s)
        return left_s > 0

    def noticed_down(self, group: int, mark: Mark) -> float:
        """Return since when this process has known that the group is down, which may be now; monotonic clock."""
        known, since = self._known_down.get(group, (None, 0.0))
        if known != mark:
            since = time.monotonic()
            self._known_down[group] = mark, since
        return since

    async def read_states(self) -> tuple[list[int], dict[int, Mark]]:
        """Return the groups that are up, and those that are down with their marks. Raises DatabaseUnavailable."""
        async with self._database.control() as connection:
            rows = await connection.rows(SELECT_STATES)
        up = [row.id for row in rows if row.state == FenceState.UP]
        down = {row.id: Mark(row.timeline, row.downs) for row in rows if row.state == FenceState.DOWN}
        for group in up:
            self._known_down.pop(group, None)
        for group, mark in down.items():
            self.noticed_down(group, mark)
        return up, down

    async def set_up(self, group: int, mark: Mark) -> bool:
        """Set a group up that has been down for DEAD_AFTER_S seconds, unless a writer relies on its being down.

        Return whether it is up now. Raises DatabaseUnavailable.
        """
        if time.monotonic() - self.noticed_down(group, mark) < DEAD_AFTER_S:
            return False
        async with self._database.control() as connection:
            return await connection.one_or_none(_SET_UP, group_id=group, known_downs=mark.downs) is not None
