"""The arithmetic of working time: when so many working seconds have passed, and how many passed between two instants.

A calendar names its hours in local time. A local day may have 23 or 25 hours, and a local time may not exist, or exist
twice. So the hours become instants first, and only instants are subtracted:

1. Each local date has intervals: those of its exception, else those of its weekday. `to` at or before `from` means the
   next day. An exception replaces the intervals that begin on its date. A night shift of the day before ends as usual.
2. Both ends of an interval become microseconds since 1970 in UTC, by the offset that zoneinfo has for `fold=0`. A local
   time that exists twice is the first one. One in the gap of a change is as far behind the gap as it is behind the
   beginning of the gap. An interval whose beginning alone was moved, behind its end, is empty.
3. The intervals are cut into weeks of UTC, and those of a week are merged where they overlap. A second is counted once.

Weeks only bound the work: each is computed once and kept, and a deadline skips those that are too short as a whole.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import count
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from models.calendar import MAX_SPAN_DAYS, WEEKDAYS

Hours = Sequence[Sequence[str]]
"""The intervals of a date: pairs of local times, `HH:MM`, the end up to `24:00`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = _EPOCH.toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND_US: Final = 1_000_000
_DAY_US: Final = 86_400 * _SECOND_US
_WEEK_US: Final = 7 * _DAY_US
DAY_MINUTES: Final = 1_440
# No zone was ever 16 hours or more away from UTC. So the intervals of a local date begin less than a day before its
# midnight in UTC, and end less than three days after it: within two local days.
_DAYS_BEFORE: Final = 2
_DAYS_AFTER: Final = 1
# Dates at the ends of the calendar of `datetime` have no instants in some zones. They have no hours here.
_FIRST_DAY: Final = date(2, 1, 1).toordinal()
_LAST_DAY: Final = date(9998, 12, 31).toordinal()
# Those of the longest budgets, so that computing several of them in turn computes no week again.
_KEPT_WEEKS: Final = 600


class _Week(NamedTuple):
    """The working time of a week of UTC: disjoint intervals in order, in microseconds since 1970, and their sum."""

    intervals: Sequence[tuple[int, int]]
    total: int


class WorkingTime:
    """The hours of a calendar. It never changes, may be used by several threads, and keeps the weeks that it computed.

    `weekly` has the hours of each of WEEKDAYS, none if it is absent, and `exceptions` those of dates (`YYYY-MM-DD`).
    """

    def __init__(self, zone: str, weekly: Mapping[str, Hours], exceptions: Mapping[str, Hours]) -> None:
        self._zone = ZoneInfo(zone)
        self._weekly = [_minutes_of(weekly.get(day, ())) for day in WEEKDAYS]
        self._exceptions = {date.fromisoformat(day).toordinal(): _minutes_of(each) for day, each in exceptions.items()}
        self._week = lru_cache(maxsize=_KEPT_WEEKS)(self._computed_week)

    def due(self, start: datetime, seconds: float) -> datetime | None:
        """Return the first instant, in UTC, at which so many working seconds have passed since `start`.

        It is `start` if `seconds` is not positive. None if there are not so many within MAX_SPAN_DAYS.
        """
        begin, left = _microseconds(start), round(seconds * _SECOND_US)
        if left <= 0:
            return start.astimezone(UTC)
        last = begin + MAX_SPAN_DAYS * _DAY_US
        for number in count(begin // _WEEK_US):
            if number * _WEEK_US >= last:
                return None
            week = self._week(number)
            if left > week.total:  # a whole week that is too short, or the rest of the first week
                left -= week.total if number * _WEEK_US >= begin else _overlap(week, begin, (number + 1) * _WEEK_US)
                continue
            for opens, closes in week.intervals:
                since = max(opens, begin)
                if closes - since >= left:
                    return _instant(since + left) if since + left <= last else None
                left -= max(0, closes - since)
        raise AssertionError("the weeks are without end")

    def worked(self, start: datetime, end: datetime) -> float:
        """Return the working seconds from `start` to `end`, exact to the microsecond; 0 if `end` is not later."""
        begin, until = _microseconds(start), _microseconds(end)
        weeks = range(begin // _WEEK_US, until // _WEEK_US + 1)
        return sum(_overlap(self._week(number), begin, until) for number in weeks) / _SECOND_US

    def _computed_week(self, number: int) -> _Week:
        begin, first_day = number * _WEEK_US, _EPOCH_DAY + 7 * number
        end = begin + _WEEK_US
        days = range(max(first_day - _DAYS_BEFORE, _FIRST_DAY), min(first_day + 7 + _DAYS_AFTER, _LAST_DAY))
        intervals = sorted(
            (max(opens, begin), min(closes, end)) for day in days for opens, closes in self._intervals_from(day)
        )
        merged: list[tuple[int, int]] = []
        for opens, closes in intervals:
            since = max(opens, merged[-1][1]) if merged else opens
            if closes > since:
                merged.append((since, closes))
        return _Week(tuple(merged), sum(closes - opens for opens, closes in merged))

    def _intervals_from(self, day: int) -> list[tuple[int, int]]:
        """Return the intervals that begin on a local date, which is given by its ordinal."""
        hours = self._exceptions.get(day)
        if hours is None:
            hours = self._weekly[(day - 1) % 7]  # ordinal 1 was a Monday
        return [(self._microseconds_of(day, opens), self._microseconds_of(day, closes)) for opens, closes in hours]

    def _microseconds_of(self, day: int, minutes: int) -> int:
        days, minute = divmod(minutes, DAY_MINUTES)
        local = datetime.combine(date.fromordinal(day + days), time(*divmod(minute, 60)), tzinfo=self._zone)
        return _microseconds(local)


def minutes_of(interval: Sequence[str]) -> tuple[int, int]:
    """Return both ends of an interval in minutes since the midnight before it; the end may be on the next day."""
    opens, closes = (int(text[:2]) * 60 + int(text[3:]) for text in interval)
    return opens, closes if closes > opens else closes + DAY_MINUTES


def _minutes_of(hours: Hours) -> tuple[tuple[int, int], ...]:
    return tuple(minutes_of(interval) for interval in hours)


def _overlap(week: _Week, begin: int, end: int) -> int:
    """Return the working microseconds of a week between two instants."""
    return sum(max(0, min(closes, end) - max(opens, begin)) for opens, closes in week.intervals)


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
