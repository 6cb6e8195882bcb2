"""The rules on the hours of a calendar that concern several of its intervals."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Final

from core.errors import Fault
from core.service_level_errors import InvalidCalendar
from models.calendar import WEEKDAYS
from schemas.calendars import MAX_EXCEPTIONS
from services.sla.working_time import DAY_MINUTES, Hours, minutes_of

_NO_HOURS: Final = "must have an interval on one weekday at least"
_TOO_MANY: Final = f"must have at most {MAX_EXCEPTIONS:,} dates"
_OVERLAP: Final = "must not overlap another interval"
_DAY: Final = timedelta(days=1)


def ensure_valid(weekly: Mapping[str, Hours], exceptions: Mapping[str, Hours]) -> None:
    """Raise InvalidCalendar if a week has no hours, intervals overlap, or there are too many exceptions.

    Each date is compared with the day before it, from which an interval may continue over midnight. `weekly` has the
    hours of every weekday.
    """
    faults = []
    if not any(weekly.values()):
        faults.append(Fault(_NO_HOURS, "body", "weekly"))
    if len(exceptions) > MAX_EXCEPTIONS:
        faults.append(Fault(_TOO_MANY, "body", "exceptions"))
    for day_before, day in zip((WEEKDAYS[-1], *WEEKDAYS), WEEKDAYS, strict=False):
        faults += [
            Fault(_OVERLAP, "body", "weekly", day, index)
            for index in _overlapping(weekly[day], _end_on_the_next_day(weekly[day_before]))
        ]
    for text in exceptions:
        faults += [
            Fault(_OVERLAP, "body", "exceptions", text, index)
            for index in _overlapping_exception(text, weekly, exceptions)
        ]
    if faults:
        raise InvalidCalendar(*faults)


def _overlapping_exception(text: str, weekly: Mapping[str, Hours], exceptions: Mapping[str, Hours]) -> Iterator[int]:
    """Yield the positions of the intervals of an exception that overlap its others, or those of the days beside it."""

    def hours_of(day: date) -> Hours:
        return exceptions.get(day.isoformat(), weekly[WEEKDAYS[day.weekday()]])

    day = date.fromisoformat(text)
    hours = exceptions[text]
    found = set(_overlapping(hours, _end_on_the_next_day(hours_of(day - _DAY))))
    if (day + _DAY).isoformat() not in exceptions:  # else the fault is at that exception
        next_opens = min((minutes_of(each)[0] for each in hours_of(day + _DAY)), default=DAY_MINUTES)
        found |= {index for index, each in enumerate(hours) if minutes_of(each)[1] - DAY_MINUTES > next_opens}
    yield from sorted(found)


def _overlapping(hours: Hours, busy_until: int) -> Iterator[int]:
    """Yield the positions of the intervals that begin before `busy_until`, in minutes, or before another one ends."""
    for (opens, closes), index in sorted((minutes_of(each), index) for index, each in enumerate(hours)):
        if opens < busy_until:
            yield index
        busy_until = max(busy_until, closes)


def _end_on_the_next_day(hours: Hours) -> int:
    """Return the minute of the next day until which hours continue; 0 or less if they end before."""
    return max((minutes_of(each)[1] for each in hours), default=0) - DAY_MINUTES
