"""Working time by counting minutes: an independent oracle of `services.sla.working_time`, around one moment of a zone.

It asks the zone for the local time of each minute in UTC, never for the instant of a local time. From that it knows the
instant of each local time: the first minute that shows it, and for a local time in a gap the minute as far behind the
gap as the local time is behind the beginning of the gap.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

from models.calendar import WEEKDAYS

Hours = Sequence[tuple[int, int]]
"""Intervals in minutes since midnight, as a calendar writes them: the end may be before the beginning."""

DAY = 1_440
MINUTE_US = 60_000_000
# On each side of the moment. A week, so that a step over a week of the arithmetic is in the middle of some questions.
SPAN = 7 * DAY
# The minutes at both ends whose local date is not complete, or whose night shift began before.
MARGIN = 3 * DAY
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = EPOCH.toordinal()
_STEP = timedelta(days=2)


@lru_cache(maxsize=1024)
def transitions(zone: str) -> tuple[datetime, ...]:
    """Return the instants from 2000 to 2040 at which the offset of a zone changes, to the minute."""
    info = ZoneInfo(zone)
    found = []
    instants = [datetime(2000, 1, 1, tzinfo=UTC) + number * _STEP for number in range(41 * 366 // 2)]
    for before, after in pairwise(instants):
        if before.astimezone(info).utcoffset() != after.astimezone(info).utcoffset():
            found.append(_bisected(info, before, after))
    return tuple(found)


def _bisected(info: ZoneInfo, before: datetime, after: datetime) -> datetime:
    old = before.astimezone(info).utcoffset()
    while after - before > timedelta(minutes=1):
        middle = before + (after - before) // timedelta(minutes=2) * timedelta(minutes=1)
        before, after = (middle, after) if middle.astimezone(info).utcoffset() == old else (before, middle)
    return after


@lru_cache(maxsize=8)
def _instants(zone: str, first: int) -> Mapping[int, int]:
    """Return the minute in UTC of each local minute, both since 1970, from `first` on."""
    info = ZoneInfo(zone)
    found: dict[int, int] = {}
    previous = None
    for minute in range(first, first + 2 * SPAN):
        local = datetime.fromtimestamp(minute * 60, info)
        shown = (local.toordinal() - EPOCH_DAY) * DAY + local.hour * 60 + local.minute
        if previous is not None:
            for missing in range(previous + 1, shown):
                found.setdefault(missing, minute + missing - previous - 1)
        found.setdefault(shown, minute)
        previous = shown
    return found


class MinuteOracle:
    """Answers questions about the time from `begin` to `end` in a zone."""

    def __init__(
        self, zone: str, weekly: Mapping[str, Hours], exceptions: Mapping[date, Hours], moment: datetime
    ) -> None:
        self._first = first = (moment - EPOCH) // timedelta(minutes=1) - SPAN
        self.begin, self.end = (EPOCH + timedelta(minutes=first + each) for each in (MARGIN, 2 * SPAN - MARGIN))
        instants = _instants(zone, first)
        works = [False] * (2 * SPAN)
        for day in range(first // DAY, first // DAY + 2 * SPAN // DAY + 1):
            local = date.fromordinal(EPOCH_DAY + day)
            for opens, closes in exceptions.get(local, weekly.get(WEEKDAYS[local.weekday()], ())):
                begins = instants.get(day * DAY + opens)
                ends = instants.get(day * DAY + closes + (DAY if closes <= opens else 0))
                if begins is not None and ends is not None and ends < first + 2 * SPAN:
                    works[begins - first : ends - first] = [True] * max(0, ends - begins)
        self._works = works
        self._before = [0, *accumulate(map(int, works))]

    def worked_us(self, start: datetime, end: datetime) -> int:
        """Return the working microseconds between two instants."""
        return self._until(end) - self._until(start)

    def due(self, start: datetime, microseconds: int) -> datetime | None:
        """Return when so many working microseconds have passed; None if that is not before `end`."""
        at, left = self._position(start), microseconds
        for minute in range(at // MINUTE_US, (self._position(self.end)) // MINUTE_US):
            since = max(at, minute * MINUTE_US)
            available = (minute + 1) * MINUTE_US - since
            if self._works[minute]:
                if left <= available:
                    return EPOCH + timedelta(minutes=self._first, microseconds=since + left)
                left -= available
        return None

    def _until(self, instant: datetime) -> int:
        minute, rest = divmod(self._position(instant), MINUTE_US)
        return self._before[minute] * MINUTE_US + (rest if self._works[minute] else 0)

    def _position(self, instant: datetime) -> int:
        return (instant - EPOCH) // timedelta(microseconds=1) - self._first * MINUTE_US


def moments(zone: str) -> Iterator[datetime]:
    """Yield the transitions of a zone, or a day of no importance if it has none."""
    yield from transitions(zone) or (datetime(2026, 3, 2, tzinfo=UTC),)
