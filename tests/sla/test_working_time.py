"""Working time by examples, and by properties around the changes of the clocks."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from services.sla.working_time import WorkingTime
from sla.oracle import moments
from sla.properties import check

OFFICE = {day: [["09:00", "12:00"], ["13:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
ALWAYS = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
NIGHTS = {day: [["22:00", "06:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
HOUR = 3600
BERLIN = "Europe/Berlin"


def at(text: str, zone: str = BERLIN) -> datetime:
    """Return the instant of a local time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@hypothesis_settings(max_examples=100, deadline=None)
@given(st.data())
def test_working_time_equals_the_minutes_that_an_oracle_counts(draw: st.DataObject) -> None:
    zone = draw.draw(st.sampled_from(sorted(available_timezones())), "zone")
    check(draw, zone, draw.draw(st.sampled_from(list(moments(zone))), "moment"))


@pytest.mark.parametrize(
    ("start", "seconds", "due"),
    [
        ("2026-03-02T09:00", 4 * HOUR, "2026-03-02T14:00"),
        ("2026-03-02T09:00", 3 * HOUR, "2026-03-02T12:00"),  # the end of the morning, not the start of the afternoon
        ("2026-03-02T12:30", 1, "2026-03-02T13:00:01"),
        ("2026-03-06T16:59:30.250", 60, "2026-03-09T09:00:30.250"),
        ("2026-03-07T12:00", 7 * HOUR, "2026-03-09T17:00"),
        ("2026-03-02T03:00", 0, "2026-03-02T03:00"),
        ("2026-03-02T03:00", -5, "2026-03-02T03:00"),
    ],
)
def test_a_deadline_counts_the_hours_of_the_office(start: str, seconds: int, due: str) -> None:
    assert WorkingTime(BERLIN, OFFICE, {}).due(at(start), seconds) == at(due)


def test_an_exception_replaces_the_hours_that_begin_on_its_date() -> None:
    calendar = WorkingTime(BERLIN, OFFICE, {"2026-12-25": [], "2026-12-24": [["09:00", "12:00"]]})
    assert calendar.worked(at("2026-12-24T00:00"), at("2026-12-26T00:00")) == 3 * HOUR
    assert calendar.due(at("2026-12-24T11:00"), 2 * HOUR) == at("2026-12-28T10:00")


def test_the_night_shift_of_the_day_before_ends_on_a_holiday() -> None:
    calendar = WorkingTime(BERLIN, NIGHTS, {"2026-12-25": []})
    assert calendar.worked(at("2026-12-25T00:00"), at("2026-12-26T00:00")) == 6 * HOUR
    assert calendar.worked(at("2026-12-26T00:00"), at("2026-12-27T00:00")) == 2 * HOUR


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_on_which_the_clocks_change_has_the_hours_that_it_has(day: str, hours: int) -> None:
    start = at(f"{day}T00:00")
    end = at((start.replace(tzinfo=None) + timedelta(days=1)).isoformat())
    assert WorkingTime(BERLIN, ALWAYS, {}).worked(start, end) == hours * HOUR


def test_a_local_time_that_does_not_exist_is_as_far_behind_the_gap() -> None:
    calendar = WorkingTime(BERLIN, {"sun": [["02:30", "04:00"]]}, {})
    assert calendar.due(at("2026-03-29T00:00"), 1) == at("2026-03-29T03:30:01")
    assert calendar.worked(at("2026-03-29T00:00"), at("2026-03-30T00:00")) == HOUR / 2


def test_a_local_time_that_exists_twice_is_the_first() -> None:
    calendar = WorkingTime(BERLIN, {"sun": [["02:30", "03:30"]]}, {})
    assert calendar.due(at("2026-10-25T00:00"), 1) == datetime(2026, 10, 25, 0, 30, 1, tzinfo=UTC)
    assert calendar.worked(at("2026-10-25T00:00"), at("2026-10-26T00:00")) == 2 * HOUR


def test_hours_that_overlap_are_counted_once() -> None:
    calendar = WorkingTime(BERLIN, {"mon": [["09:00", "12:00"], ["08:00", "10:00"]], "sun": [["22:00", "08:30"]]}, {})
    assert calendar.worked(at("2026-03-02T00:00"), at("2026-03-03T00:00")) == 12 * HOUR


def test_a_deadline_is_searched_in_3_660_days() -> None:
    calendar = WorkingTime("UTC", {"mon": [["09:00", "10:00"]]}, {})
    start = at("2026-03-02T09:00", "UTC")
    mondays = 3_660 // 7 + 1
    last = calendar.due(start, mondays * HOUR)
    assert last is not None
    assert last - start == timedelta(days=(mondays - 1) * 7, hours=1)
    assert calendar.due(start, mondays * HOUR + 1) is None
    assert WorkingTime("UTC", {}, {}).due(start, 1) is None


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"])
def test_there_is_no_working_time_at_the_ends_of_the_calendar(zone: str) -> None:
    calendar = WorkingTime(zone, ALWAYS, {})
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert calendar.due(last, 1) is None
    assert calendar.due(first, 1) is not None
    assert calendar.worked(last - timedelta(hours=1), last) == calendar.worked(first, first + timedelta(hours=1)) == 0


def test_near_deadlines_are_computed_in_microseconds() -> None:
    """The limit is twenty times what was measured, for busy machines. A walk by minutes would be slower still."""
    calendar = WorkingTime(BERLIN, OFFICE, {})
    start = at("2026-03-02T09:00")
    began_at = time.process_time()
    for number in range(1000):
        calendar.due(start + timedelta(minutes=number), 8 * HOUR)
    assert time.process_time() - began_at < 0.5
