"""What holds for the working time of every calendar, around every change of the clocks."""

from datetime import date, datetime, timedelta

from hypothesis import strategies as st

from models.calendar import WEEKDAYS
from services.sla.working_time import WorkingTime
from sla.oracle import DAY, Hours, MinuteOracle

# Most changes are in the first hours of a local day.
_minutes = st.one_of(st.integers(0, 240), st.integers(0, DAY - 1))
_intervals = st.tuples(_minutes, st.one_of(_minutes, st.just(DAY))).filter(lambda ends: ends[0] != ends[1])
_hours = st.lists(_intervals, max_size=3)
_weeks = st.dictionaries(st.sampled_from(WEEKDAYS), _hours, min_size=1)


def as_sent(hours: Hours) -> list[list[str]]:
    """Return hours as a calendar has them."""
    return [[f"{minutes // 60:02}:{minutes % 60:02}" for minutes in interval] for interval in hours]


def check(draw: st.DataObject, zone: str, moment: datetime) -> None:
    """Compare a calendar with the oracle around a moment, and with itself. Raises AssertionError."""
    weekly = draw.draw(_weeks, "weekly")
    days = st.integers(-4, 4).map(lambda days: moment.date() + timedelta(days=days))
    exceptions: dict[date, Hours] = draw.draw(st.dictionaries(days, _hours, max_size=3), "exceptions")
    calendar = WorkingTime(
        zone,
        {day: as_sent(hours) for day, hours in weekly.items()},
        {day.isoformat(): as_sent(hours) for day, hours in exceptions.items()},
    )
    oracle = MinuteOracle(zone, weekly, exceptions, moment)
    span_us = (oracle.end - oracle.begin) // timedelta(microseconds=1) - 1
    instants = st.one_of(
        st.integers(0, span_us), st.integers(0, span_us // 60_000_000).map(lambda minute: minute * 60_000_000)
    ).map(lambda position: oracle.begin + timedelta(microseconds=position))
    start, middle, end = sorted(draw.draw(st.lists(instants, min_size=3, max_size=3), "start, middle, end"))
    _check_spans(calendar, oracle, start, middle, end)
    _check_deadline(calendar, oracle, start, draw.draw(st.integers(1, 200_000), "seconds"))


def _check_spans(calendar: WorkingTime, oracle: MinuteOracle, start: datetime, middle: datetime, end: datetime) -> None:
    whole, first, second = (
        microseconds(calendar.worked(since, until)) for since, until in ((start, end), (start, middle), (middle, end))
    )
    assert whole == oracle.worked_us(start, end)
    assert whole == first + second
    assert 0 <= first <= whole <= (end - start) // timedelta(microseconds=1)
    assert calendar.worked(end, start) == 0


def _check_deadline(calendar: WorkingTime, oracle: MinuteOracle, start: datetime, seconds: int) -> None:
    due, expected = calendar.due(start, seconds), oracle.due(start, seconds * 1_000_000)
    if expected is not None:
        assert due == expected
    if due is None:
        return
    assert calendar.worked(start, due) == seconds
    assert microseconds(calendar.worked(start, due - timedelta(microseconds=1))) == seconds * 1_000_000 - 1
    earlier = calendar.due(start, seconds - 1)
    assert earlier is not None
    assert earlier <= due - timedelta(seconds=1)


def microseconds(seconds: float) -> int:
    """Return working seconds as the exact number that they stand for."""
    return round(seconds * 1_000_000)
