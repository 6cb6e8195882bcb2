"""The calendars of working hours: admins write them, agents read them and compute with them."""

import asyncio
import json
from collections.abc import Mapping, Set
from typing import Any, Final

from sqlalchemy import func, insert, literal_column, select, update

from core.errors import AlreadyExists, Fault, InvalidReference, VersionMismatch
from core.service_level_errors import CalendarNotFound, TooManyCalendars
from db.postgres.database import Database
from db.postgres.failures import raised_for_duplicates
from db.postgres.session import Session
from db.postgres.statements import Row, Statement, given
from models import Scope
from models.calendar import MAX_SPAN_DAYS, WEEKDAYS
from schemas.calendars import (
    Calendar,
    CalendarCreate,
    CalendarList,
    CalendarPatch,
    Due,
    DueQuery,
    HolidayProposal,
    HolidayQuery,
    ListedCalendar,
    Worked,
    WorkedQuery,
)
from services.access.principal import Principal
from services.definitions import CachedDefinitions
from services.sla.calendar_definitions import calendars, working_time_of
from services.sla.calendar_rules import ensure_valid
from services.sla.public_holidays import public_holidays
from services.sla.working_time import Hours

MAX_CALENDARS: Final = 100

_NAMES: Final = "uq_calendars_name_key"
_SETTINGS: Final = ("name", "zone", "weekly", "exceptions")
_ID: Final = given(calendars.c.id)
_LOCK: Final = Statement(select(func.pg_advisory_xact_lock(literal_column("7415530160"))))
_COUNT: Final = Statement(select(func.count()).select_from(calendars))
_LISTED: Final = Statement(
    select(*(calendars.c[name] for name in ListedCalendar.model_fields)).order_by(calendars.c.id)
)
_FIND: Final = Statement(select(*calendars.c).where(calendars.c.id == _ID))
_CREATE: Final = Statement(
    insert(calendars).values({name: given(calendars.c[name]) for name in _SETTINGS}).returning(*calendars.c)
)
_SAVE: Final = Statement(
    update(calendars)
    .values({name: given(calendars.c[name]) for name in _SETTINGS})
    .values(version=calendars.c.version + literal_column("1"), updated_at=func.now())
    .where(calendars.c.id == _ID)
    .returning(*calendars.c)
)


class CalendarService:
    """Reads and writes calendars. Agents and admins read, admins write.

    Every method raises Forbidden, InsufficientScope, DatabaseUnavailable and DeadlineExceeded; those that write also
    raise OutcomeUnknown.
    """

    def __init__(self, database: Database, definitions: CachedDefinitions[Any]) -> None:
        self._database = database
        self._definitions = definitions

    async def all(self, principal: Principal) -> CalendarList:
        """Return all calendars in the order of their ids, without their exceptions."""
        _require_reader(principal)
        async with self._database.reading() as connection:
            return CalendarList(items=[_listed(row) for row in await connection.rows(_LISTED)])

    async def find(self, calendar_id: int, principal: Principal) -> Calendar:
        """Return a calendar. Raises CalendarNotFound."""
        return _calendar_of(await self._read(calendar_id, principal))

    async def create(self, new: CalendarCreate, principal: Principal) -> Calendar:
        """Create a calendar. Raises InvalidCalendar, AlreadyExists, TooManyCalendars."""
        principal.require_admin()
        values = new.model_dump()
        values["weekly"] = {day: values["weekly"].get(day, []) for day in WEEKDAYS}
        ensure_valid(values["weekly"], values["exceptions"])
        with raised_for_duplicates(_NAMES, lambda: AlreadyExists("name")):
            async with self._database.transaction() as connection:
                await connection.run(_LOCK)
                if await connection.value(_COUNT) >= MAX_CALENDARS:
                    raise TooManyCalendars
                row = await connection.one(_CREATE, **_stored(values))
        self._definitions.forget()
        return _calendar_of(row)

    async def change(
        self, calendar_id: int, patch: CalendarPatch, principal: Principal, *, expected: Set[int] | None = None
    ) -> Calendar:
        """Change a calendar; without any difference makes no version.

        Raises CalendarNotFound, VersionMismatch, InvalidCalendar, AlreadyExists.
        """
        principal.require_admin()
        with raised_for_duplicates(_NAMES, lambda: AlreadyExists("name")):
            async with self._database.transaction() as connection:
                await connection.run(_LOCK)
                before = _calendar_of(await _found(connection, calendar_id))
                if expected is not None and before.version not in expected:
                    raise VersionMismatch(before.version)
                after = await _saved(connection, before, patch)
        self._definitions.forget()
        return after

    async def due(self, calendar_id: int, query: DueQuery, principal: Principal) -> Due:
        """Return when so many working seconds will have passed. Raises CalendarNotFound, InvalidReference."""
        working_time = working_time_of(await self._read(calendar_id, principal))
        # In a thread: the search through ten years takes tens of milliseconds.
        due_at = await asyncio.to_thread(working_time.due, query.from_, query.seconds)
        if due_at is None:
            detail = f"must not be more than the calendar has in {MAX_SPAN_DAYS:,} days"
            raise InvalidReference(Fault(detail, "query", "seconds"))
        return Due(due_at=due_at)

    async def worked(self, calendar_id: int, query: WorkedQuery, principal: Principal) -> Worked:
        """Return how many working seconds a span has. Raises CalendarNotFound."""
        working_time = working_time_of(await self._read(calendar_id, principal))
        return Worked(seconds=int(await asyncio.to_thread(working_time.worked, query.from_, query.until)))

    async def holidays(self, calendar_id: int, query: HolidayQuery, principal: Principal) -> HolidayProposal:
        """Return the public holidays that a calendar has no exceptions for.

        Raises CalendarNotFound, InvalidReference.
        """
        calendar = await self.find(calendar_id, principal)
        names = await asyncio.to_thread(public_holidays, query.country, query.subdivision, query.year)
        new = {day: name for day, name in names.items() if day not in calendar.exceptions}
        return HolidayProposal(exceptions={day: [] for day in new}, names=new)

    async def _read(self, calendar_id: int, principal: Principal) -> Row:
        _require_reader(principal)
        async with self._database.reading() as connection:  # not from memory: another process may have changed it
            return await _found(connection, calendar_id)


def _require_reader(principal: Principal) -> None:
    principal.require_staff()
    principal.require(Scope.READ)


async def _found(connection: Session, calendar_id: int) -> Row:
    row = await connection.one_or_none(_FIND, id=calendar_id)
    if row is None:
        raise CalendarNotFound(str(calendar_id))
    return row


async def _saved(connection: Session, before: Calendar, patch: CalendarPatch) -> Calendar:
    """Save the changes of a calendar if there are any, and return it."""
    present = before.model_dump(include={*_SETTINGS})
    changes = patch.model_dump(exclude_unset=True)
    weekly = present["weekly"] | changes.get("weekly", {})
    exceptions = present["exceptions"] | changes.get("exceptions", {})
    values = present | changes
    values["weekly"] = {day: hours or [] for day, hours in weekly.items()}
    values["exceptions"] = {day: hours for day, hours in exceptions.items() if hours is not None}
    if values == present:
        return before
    ensure_valid(values["weekly"], values["exceptions"])
    return _calendar_of(await connection.one(_SAVE, id=before.id, **_stored(values)))


def _stored(values: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, "weekly": json.dumps(values["weekly"]), "exceptions": json.dumps(values["exceptions"])}


def _calendar_of(row: Row) -> Calendar:
    """Return a calendar with the days and dates in their order, which `jsonb` does not keep."""
    exceptions: dict[str, Hours] = json.loads(row.exceptions)
    return Calendar.model_validate({**row, "weekly": _weekly(row), "exceptions": dict(sorted(exceptions.items()))})


def _listed(row: Row) -> ListedCalendar:
    return ListedCalendar.model_validate({**row, "weekly": _weekly(row)})


def _weekly(row: Row) -> dict[str, Hours]:
    weekly: dict[str, Hours] = json.loads(row.weekly)
    return {day: weekly[day] for day in WEEKDAYS}
