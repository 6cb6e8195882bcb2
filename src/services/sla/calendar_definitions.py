"""The calendars as arithmetic, kept in memory: every change of a ticket with clocks computes with them."""

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfoNotFoundError

from sqlalchemy import ARRAY, BigInteger, bindparam, func, select

from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row, Statement
from models import Calendar, table_of
from services.definitions import CachedDefinitions
from services.sla.working_time import WorkingTime

calendars: Final = table_of(Calendar)
_REVISIONS: Final = Statement(select(calendars.c.id, calendars.c.version, calendars.c.updated_at))
_SOME: Final = Statement(
    select(*calendars.c).where(calendars.c.id == func.any(bindparam("ids", type_=ARRAY(BigInteger))))
)

_log = logging.getLogger(__name__)

_Revision = tuple[int, datetime]


class Calendars(CachedDefinitions[Mapping[int, WorkingTime]]):
    """Returns the working time of each calendar by its id, at most two seconds old.

    A calendar that did not change is not read again, and keeps what it has computed.
    """

    what = "the calendars"

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._kept: dict[int, tuple[_Revision, WorkingTime | None]] = {}

    async def read(self, connection: Session) -> Mapping[int, WorkingTime]:
        """Return the calendars that are stored now."""
        kept = self._kept
        revisions = {row.id: _revision_of(row) for row in await connection.rows(_REVISIONS)}
        changed = [each for each, revision in revisions.items() if each not in kept or kept[each][0] != revision]
        if changed:
            rows = await connection.rows(_SOME, ids=changed)
            kept = self._kept = kept | {row.id: (_revision_of(row), _computed(row)) for row in rows}
        return {each: working_time for each, (_, working_time) in kept.items() if working_time is not None}


def _computed(row: Row) -> WorkingTime | None:
    """Return the working time of a row; None if this machine does not know its time zone."""
    try:
        return working_time_of(row)
    except ZoneInfoNotFoundError:
        _log.error("the time zone %s of calendar %d is unknown here; update the package tzdata", row.zone, row.id)
        return None


def working_time_of(row: Row) -> WorkingTime:
    """Return the working time of a row of the table."""
    return WorkingTime(row.zone, json.loads(row.weekly), json.loads(row.exceptions))


def _revision_of(row: Row) -> _Revision:
    return row.version, row.updated_at
