"""Replays: the events of a range of the log are sent to a webhook again."""

from datetime import datetime
from uuid import UUID

from core.errors import InvalidCursor, ReplayNotFound
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row
from schemas.webhook_deliveries import Replay, ReplayCreate
from services.access.principal import Principal
from services.cursors import StoredCursors
from services.webhooks import history_statements as sql
from services.webhooks.endpoints import found, require_reading_admin


class WebhookReplays:
    """Starts replays and returns their progress, for admins. The feeder creates their deliveries.

    Every method raises Forbidden, InsufficientScope, WebhookNotFound, DatabaseUnavailable and DeadlineExceeded.
    """

    def __init__(self, database: Database, cursors: StoredCursors) -> None:
        self._database = database
        self._cursors = cursors

    async def start(self, webhook_id: int, new: ReplayCreate, principal: Principal) -> Replay:
        """Start a replay. Raises InvalidCursor, OutcomeUnknown."""
        principal.require_admin()
        cursors = await self._cursors.get()
        async with self._database.transaction() as connection:
            await found(connection, webhook_id)
            bounds = await connection.one_or_none(sql.BOUNDS)
            start, end = 0, 0
            if bounds is not None:
                start, end = bounds.first_position - 1, bounds.last_position
                if new.after is not None:
                    start = max(start, _position_of(cursors.unseal("events", new.after), bounds))
                elif new.from_ is not None:
                    start = await _last_before(connection, new.from_, bounds)
                if new.to is not None:
                    end = await _last_before(connection, new.to, bounds)
            replay_id = await connection.value(
                sql.START, endpoint_id=webhook_id, first=start, last=max(start, end), dead=new.only_dead
            )
            return _replay_of(await _found_replay(connection, webhook_id, replay_id))

    async def find(self, webhook_id: int, replay_id: int, principal: Principal) -> Replay:
        """Return a replay with its progress. Raises ReplayNotFound."""
        require_reading_admin(principal)
        async with self._database.reading() as connection:
            await found(connection, webhook_id)
            return _replay_of(await _found_replay(connection, webhook_id, replay_id))


async def _found_replay(connection: Session, webhook_id: int, replay_id: int) -> Row:
    row = await connection.one_or_none(sql.REPLAY_OF, endpoint_id=webhook_id, replay_id=replay_id)
    if row is None:
        raise ReplayNotFound(str(replay_id))
    return row


def _position_of(sealed: list[object], bounds: Row) -> int:
    """Return the position in a cursor of the feed. Raises InvalidCursor if it is one of another epoch."""
    epoch, position = sealed
    if UUID(str(epoch)) != bounds.epoch or not isinstance(position, int):
        raise InvalidCursor
    return position


async def _last_before(connection: Session, time: datetime, bounds: Row) -> int:
    """Return the position of the last event published before a time, by bisection: positions ascend with the time."""
    first, last = int(bounds.first_position), int(bounds.last_position) + 1
    while first < last:
        middle = (first + last) // 2
        published_at = await connection.value(sql.POSITION_AT, position=middle)
        if published_at is not None and published_at < time:
            first = middle + 1
        else:
            last = middle
    return first - 1


def _replay_of(row: Row) -> Replay:
    return Replay.model_validate(dict(row))
