"""Creates deliveries: reads the event log after the cursor of each endpoint, and for replays once more."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from core.errors import Unavailable
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row
from services.events.catalogue import kind_of
from services.tickets.commit_signal import CommitSignal
from services.webhooks import feed_statements as sql

POLL_EVERY_S: Final = 0.25
_RETRY_AFTER_S: Final = 2
_END_OF_LOG: Final = 2**63 - 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fed:
    """How many endpoints are on, and by how many positions their cursors and those of their replays moved."""

    endpoints: int
    moved: int


class Feeder:
    """Moves the cursors of endpoints and of replays, each in a transaction of its own with the deliveries it creates.

    Any number of processes may do so at once: each skips what another one has locked. An endpoint has at most a
    thousand pending deliveries; its cursor waits meanwhile. A replay waits while half as many are pending.
    """

    def __init__(self, database: Database, *, wake_deliverer: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._wake_deliverer = wake_deliverer
        self._retry_at: dict[tuple[str, int], float] = {}

    async def run(self, published: CommitSignal) -> None:
        """Feed until cancelled: when this process has published events, and regularly for those of others.

        Without an endpoint that is on, it only looks for one regularly: writes cost nothing more.
        """
        while True:
            next_events = published.expect()
            try:
                fed = await self.feed()
            except Unavailable as error:
                _log.warning("cannot feed the webhooks; retrying in %d s: %s", _RETRY_AFTER_S, error)
                await asyncio.sleep(_RETRY_AFTER_S)
                continue
            if not fed.endpoints:
                await asyncio.sleep(POLL_EVERY_S)
            elif not fed.moved:
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_EVERY_S):
                        await next_events.wait()

    async def feed(self) -> Fed:
        """Move each cursor that is behind once. Raises DatabaseUnavailable if it cannot look for them.

        The failure of one is logged.
        """
        async with self._database.working_singly() as connection:
            active = await connection.rows(sql.ACTIVE)
        moved = 0
        for endpoint in active:
            if endpoint.is_behind:
                moved += await self._moved_by("webhook", endpoint.id, self._feed_endpoint)
        for endpoint in active:
            for replay_id in endpoint.replays:
                moved += await self._moved_by("replay", replay_id, self._feed_replay)
        if moved:
            self._wake_deliverer()
        return Fed(len(active), moved)

    async def _moved_by(self, what: str, row_id: int, feed: Callable[[int], Awaitable[int]]) -> int:
        """Return by how many positions it moved. A failure leaves it out for some time, and the others go on."""
        now = asyncio.get_running_loop().time()
        if self._retry_at.get((what, row_id), now) > now:
            return 0
        try:
            return await feed(row_id)
        except Unavailable as error:
            _log.warning("cannot feed %s %d; retrying in %d s: %s", what, row_id, _RETRY_AFTER_S, error)
        except Exception:  # noqa: BLE001 - as the docstring says
            _log.exception("cannot feed %s %d; retrying in %d s", what, row_id, _RETRY_AFTER_S)
        self._retry_at = {key: at for key, at in self._retry_at.items() if at > now}
        self._retry_at[what, row_id] = now + _RETRY_AFTER_S
        return 0

    async def _feed_endpoint(self, endpoint_id: int) -> int:
        async with self._database.working() as connection:
            endpoint = await connection.one_or_none(sql.LOCK_ENDPOINT, endpoint_id=endpoint_id)
            limit = 0 if endpoint is None else await _room(connection, endpoint_id, sql.MAX_PENDING)
            if endpoint is None or not limit:
                return 0
            cursor: int = endpoint.cursor
            rows = await connection.rows(sql.BATCH, endpoint_id=endpoint_id, after=cursor, to=_END_OF_LOG, limit=limit)
            await _create(connection, endpoint_id, None, [row for row in rows if _is_wanted(row, endpoint.types)])
            # What the retention has deleted can not be sent: the endpoint shows how many events that are. Positions
            # have no gaps, so the batch itself tells; without one, everything is deleted that the lock saw as deleted.
            start: int = rows[0].position - 1 if rows else max(cursor, endpoint.first_position - 1)
            reached: int = rows[-1].position if rows else start
            await connection.run(sql.MOVE, endpoint_id=endpoint_id, reached=reached, lost=start - cursor)
            return reached - cursor

    async def _feed_replay(self, replay_id: int) -> int:
        async with self._database.working() as connection:
            replay = await connection.one_or_none(sql.LOCK_REPLAY, replay_id=replay_id)
            limit = 0 if replay is None else await _room(connection, replay.endpoint_id, sql.MAX_PENDING_FOR_REPLAY)
            if replay is None or not limit:
                return 0
            statement = sql.BATCH_OF_DEAD if replay.only_dead else sql.BATCH
            rows = await connection.rows(
                statement, endpoint_id=replay.endpoint_id, after=replay.cursor, to=replay.to_position, limit=limit
            )
            wanted = rows if replay.only_dead else [row for row in rows if _is_wanted(row, replay.types)]
            await _create(connection, replay.endpoint_id, replay.id, wanted)
            reached: int = rows[-1].position if len(rows) == limit else replay.to_position
            await connection.run(sql.MOVE_REPLAY, replay_id=replay_id, reached=reached)
            return reached - int(replay.cursor)


async def _room(connection: Session, endpoint_id: int, max_pending: int) -> int:
    """Return how many events may be looked at: as many deliveries may come of them."""
    pending: int = await connection.value(sql.COUNT_PENDING, endpoint_id=endpoint_id)
    return max(0, min(sql.BATCH_SIZE, max_pending - pending))


def _is_wanted(row: Row, types: Sequence[str]) -> bool:
    return row.is_wanted and (not types or kind_of(row.type, frozenset(row.members)) in types)


async def _create(connection: Session, endpoint_id: int, replay_id: int | None, rows: Sequence[Row]) -> None:
    if rows:
        await connection.run(
            sql.CREATE,
            endpoint_id=endpoint_id,
            replay_id=replay_id,
            positions=[row.position for row in rows],
            ticket_ids=[row.ticket_id for row in rows],
            versions=[row.version for row in rows],
        )
