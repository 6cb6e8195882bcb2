"""Computes the numbers by hour from the events, in the background.

A step reads the events after the position that is stored, in the order of the log, and adds what they count in the
transaction that stores the new position. So each event is counted once, however processes end; any number of processes
may work, and one at a time does.

A rebuild reads the whole history of each ticket instead, as far as it was published when the rebuild began, and then
goes on at that position. It is needed at first, after a restore, and if the retention has deleted what follows the
position.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from core.errors import Unavailable
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row
from services.events.statements import POSITIONS
from services.numbers import statements as sql
from services.numbers.milestones import Key, Milestone, PastEvent, counted, milestones

BATCH: Final = 500
POLL_EVERY_S: Final = 1
RETRY_EVERY_S: Final = 2

_log = logging.getLogger(__name__)


class NumberRollup:
    """Computes the numbers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Compute until cancelled."""
        while True:
            try:
                is_behind = await self.step()
            except Unavailable as error:
                _log.warning("cannot compute numbers; retrying in %d s: %s", RETRY_EVERY_S, error)
                await asyncio.sleep(RETRY_EVERY_S)
                continue
            if not is_behind:
                await asyncio.sleep(POLL_EVERY_S)

    async def step(self) -> bool:
        """Compute a batch, and return whether there is more to do. Raises DatabaseUnavailable, OutcomeUnknown."""
        async with self._database.working_singly() as connection:  # an idle service writes nothing
            found = await connection.one_or_none(sql.LEFT)
            if found is None or not found.is_behind:
                return found is not None and found.has_others and await _purge(connection)
        async with self._database.working() as connection:
            state = await connection.one_or_none(sql.LOCK)
            if state is None:
                return False
            if state.rebuild_generation is not None:
                return await _rebuild(connection, state)
            log = await connection.one_or_none(POSITIONS)
            if log is None or log.is_restored:
                return False
            if state.position is None or state.epoch != log.epoch or state.position < log.first_position - 1:
                await connection.run(sql.BEGIN)
                return True
            return await _follow(connection, state)

    async def rebuild(self) -> int:
        """Compute all numbers again, and return in how many steps.

        The old ones are read until the new ones replace them. Raises DatabaseUnavailable, OutcomeUnknown.
        """
        async with self._database.working() as connection:
            generation: int = await connection.value(sql.DISCARD)
        steps = 0
        while not await self._is_beyond(generation):
            steps += 1
            if not await self.step():
                await asyncio.sleep(POLL_EVERY_S)  # another process computes
        return steps

    async def _is_beyond(self, generation: int) -> bool:
        async with self._database.working_singly() as connection:
            current: int = await connection.value(sql.GENERATION)
        return current > generation


async def _follow(connection: Session, state: Row) -> bool:
    """Count the next events of the log; return whether there are more."""
    rows = await connection.rows(sql.BATCH, after=state.position, limit=BATCH)
    if not rows:
        return False
    wanted = {(row.ticket_id, row.version) for row in rows if row.counts}
    history = await connection.rows(sql.HISTORY, ticket_ids=sorted({ticket_id for ticket_id, _ in wanted}))
    found = (each for ticket_id, each in _milestones(history) if (ticket_id, each.version) in wanted)
    await _add(connection, state.generation, counted(found))
    await connection.run(sql.MOVE, reached=rows[-1].position)
    return len(rows) == BATCH


async def _purge(connection: Session) -> bool:
    """Delete some numbers of earlier generations; return whether there are more."""
    purged: int = await connection.value(sql.PURGE)
    return purged == sql.PURGE_BATCH


async def _rebuild(connection: Session, state: Row) -> bool:
    """Count the whole history of the next tickets; without further tickets, let the new numbers replace the old."""
    ids = [row.id for row in await connection.rows(sql.RANGE, after=state.rebuild_after, limit=BATCH)]
    if not ids:
        await connection.run(sql.FINISH)
        return True
    history = await connection.rows(sql.PUBLISHED_HISTORY, ticket_ids=ids)
    await _add(connection, state.rebuild_generation, counted(each for _, each in _milestones(history)))
    await connection.run(sql.REACH, reached=ids[-1])
    return True


async def _add(connection: Session, generation: int, numbers: Counter[Key]) -> None:
    if not numbers:
        return
    kinds, hours, values, metrics, buckets = zip(*numbers, strict=True)
    await connection.run(
        sql.ADD,
        for_generation=generation,
        kinds=kinds,
        hours=hours,
        values=values,
        metrics=metrics,
        buckets=buckets,
        counts=list(numbers.values()),
    )


def _milestones(history: Sequence[Row]) -> Iterator[tuple[int, Milestone]]:
    """Yield the milestones of tickets, each with the id of its ticket."""
    for ticket_id, rows in groupby(history, key=lambda row: int(row.ticket_id)):
        for milestone in milestones(_events(rows)):
            yield ticket_id, milestone


def _events(rows: Iterable[Row]) -> Iterator[PastEvent]:
    for row in rows:
        members = json.loads(row.data) | json.loads(row.internal or "{}")
        yield PastEvent(row.version, row.type, row.created_at, members)
