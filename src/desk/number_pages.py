"""The page of numbers: what waits now, what happened by day, and by person, group or tag.

Each number leads to the list that it counts. Charts are SVG made here, with a table beside them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fastapi import Response

from desk import words
from desk.desk_request import DeskRequest
from desk.languages import N_
from desk.validation import validated
from schemas.ticket_numbers import (
    ByQuery,
    Count,
    DaysQuery,
    Durations,
    NumbersByDay,
    NumbersByValue,
    NumbersNow,
    NumbersOf,
)
from services.directory.staff import Staff

DAYS: Final = 14
CHART_HEIGHT: Final = 100
_FACETS: Final = {"person": N_("By assignee"), "group": N_("By group"), "tag": N_("By tag")}
_UNITS: Final = ((86_400, N_("%(number)s d")), (3_600, N_("%(number)s h")), (60, N_("%(number)s min")))


@dataclass(frozen=True, slots=True)
class ShownCount:
    """A number and the query of the list behind it."""

    label: str
    number: str
    query: str


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row of the tables: a day or a value, and what happened."""

    label: str
    opened: ShownCount
    closed: ShownCount
    first_response: str
    time_to_close: ShownCount
    within: ShownCount
    opened_height: float
    closed_height: float


async def numbers_page(asked: DeskRequest) -> Response:
    """Return the numbers of the last days, in the zone of the viewer. Raises SearchTimeout, RequestValidationError."""
    today = datetime.now(UTC).astimezone(asked.viewer.zone).date()
    period: dict[str, Any] = {
        "since": str(today - timedelta(days=DAYS - 1)),
        "until": str(today),
        "zone": asked.viewer.zone.key,
    }
    given = asked.request.query_params.get("facet", "person")
    facet = given if given in _FACETS else "person"
    services = asked.services
    now = await services.numbers_of_now.now(asked.principal)
    days = await services.numbers_of_the_past.days(validated(DaysQuery, "query", **period), asked.principal)
    by_query = validated(ByQuery, "query", facet=facet, **period)
    values = await services.numbers_of_the_past.by(by_query, asked.principal)
    staff = await services.staff.current()
    context = {
        "now": _now(asked, now),
        "waiting": _waiting(asked, now),
        "days": _days(asked, days),
        "values": _values(asked, values, staff),
        "facet": facet,
        "facets": [(name, asked.text(word)) for name, word in _FACETS.items()],
        "is_complete": days.complete and values.complete,
        "zone": days.zone,
    }
    return asked.page("numbers.html", context)


def _now(asked: DeskRequest, now: NumbersNow) -> Sequence[ShownCount]:
    text = asked.text
    counts = [
        _shown(text(N_("Without an assignee")), now.unassigned),
        _shown(text(N_("Due within an hour")), now.due_in_an_hour),
        _shown(text(N_("At risk")), now.at_risk),
        _shown(text(N_("Breached")), now.breached),
    ]
    oldest = [
        ShownCount(f"{text(N_('Oldest:'))} {text(words.STATUSES[each.status])}", f"#{each.ticket_id}", each.query)
        for each in now.oldest
    ]
    return [*counts, *oldest]


def _waiting(asked: DeskRequest, now: NumbersNow) -> Sequence[tuple[str, Sequence[ShownCount]]]:
    return [
        (
            asked.text(words.STATUSES[status.status]),
            [_shown(_age(asked, each.min_age_s, each.max_age_s), each) for each in status.ages],
        )
        for status in now.waiting
    ]


def _days(asked: DeskRequest, days: NumbersByDay) -> Sequence[ShownRow]:
    most = max((max(day.opened.count, day.closed.count) for day in days.days), default=0) or 1
    months = asked.viewer.language.months
    return [
        _row(asked, f"{each.day.day}\N{NO-BREAK SPACE}{months[each.day.month - 1]}", each, most) for each in days.days
    ]


def _values(asked: DeskRequest, values: NumbersByValue, staff: Staff) -> Sequence[ShownRow]:
    most = max((max(each.opened.count, each.closed.count) for each in values.values), default=0) or 1
    return [_row(asked, _name(asked, values.facet, each.value, staff), each, most) for each in values.values]


def _row(asked: DeskRequest, label: str, numbers: NumbersOf, most: int) -> ShownRow:
    level = numbers.within_service_level
    return ShownRow(
        label,
        ShownCount("", str(numbers.opened.count), numbers.opened.query),
        ShownCount("", str(numbers.closed.count), numbers.closed.query),
        _durations(asked, numbers.first_response),
        ShownCount("", _durations(asked, numbers.time_to_close), numbers.closed.query),
        ShownCount("", "" if level.percent is None else f"{level.percent:.0f}\N{NO-BREAK SPACE}%", level.query),
        round(numbers.opened.count / most * CHART_HEIGHT, 1),
        round(numbers.closed.count / most * CHART_HEIGHT, 1),
    )


def _name(asked: DeskRequest, facet: str, value: str | None, staff: Staff) -> str:
    if value is None:
        return asked.text(N_("none"))
    if facet == "group" and value.isdigit():
        return staff.group_name(int(value))
    return staff.name_of(value) if facet == "person" else value


def _durations(asked: DeskRequest, durations: Durations) -> str:
    if durations.p50_s is None or durations.p90_s is None:
        return ""
    return f"{_duration(asked, durations.p50_s)} / {_duration(asked, durations.p90_s)}"


def _age(asked: DeskRequest, least_s: int, most_s: int | None) -> str:
    if most_s is None:
        return f"≥ {_duration(asked, least_s)}"
    return f"< {_duration(asked, most_s)}"


def _duration(asked: DeskRequest, seconds: float) -> str:
    """Return a duration in its largest unit that is not above it."""
    length, text = next((unit for unit in _UNITS if seconds >= unit[0]), _UNITS[-1])
    return asked.text(text) % {"number": round(seconds / length)}


def _shown(label: str, count: Count) -> ShownCount:
    if count.more_than is not None:
        return ShownCount(label, f"{count.more_than}+", count.query)
    return ShownCount(label, "?" if count.count is None else str(count.count), count.query)
