"""Calendars of working hours."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import Response

from desk.admin.area import Act, Area, Change, Listing, Row, Stored, members_of, new_of
from desk.admin.inputs import Input, InputKind, Values, as_values
from desk.admin.services import admin_services
from desk.desk_request import DeskRequest
from desk.forms import ticket_number
from desk.languages import N_
from desk.validation import validated
from schemas.calendars import Calendar, CalendarCreate, CalendarPatch, HolidayQuery

Hours = list[list[str]]

_DAYS: Final[Mapping[str, str]] = {
    "mon": N_("Monday"),
    "tue": N_("Tuesday"),
    "wed": N_("Wednesday"),
    "thu": N_("Thursday"),
    "fri": N_("Friday"),
    "sat": N_("Saturday"),
    "sun": N_("Sunday"),
}
_MEMBERS: Final = dict.fromkeys(_DAYS, "weekly")
_INPUTS: Final = (
    Input("name", N_("Name"), is_required=True, max_length=100),
    Input("zone", N_("Time zone"), is_required=True, hint=N_("A name of the IANA database, such as Europe/Berlin.")),
    *(Input(day, word) for day, word in _DAYS.items()),
    Input(
        "exceptions",
        N_("Holidays and other exceptions"),
        InputKind.TEXTAREA,
        hint=N_("One on each line: a date such as 2026-12-25, and the hours of that day if it has any."),
        max_length=50_000,
    ),
)

_HOLIDAYS: Final = Act(
    "",
    N_("Propose holidays"),
    N_("Add the public holidays of a country to the exceptions above, to be checked and saved:"),
    (
        Input("country", N_("Country, by its code of two letters"), is_required=True, max_length=2),
        Input("subdivision", N_("State or region, by its code"), max_length=3),
        Input("year", N_("Year"), InputKind.NUMBER, is_required=True, max_length=4),
    ),
    is_query=True,
)


class CalendarArea(Area):
    """Calendars. They are never deleted."""

    slug = "calendars"
    title = N_("Calendars")
    about = N_("Working hours and holidays, in which the time of service levels is counted.")
    new = N_("New calendar")

    async def listing(self, asked: DeskRequest) -> Listing:
        """Return the calendars in the order of their ids."""
        found = await admin_services(asked).calendars.all(asked.principal)
        return Listing(
            (N_("Name"), N_("Time zone")), [Row(str(each.id), (each.name, each.zone)) for each in found.items]
        )

    async def inputs(self, asked: DeskRequest, *, is_new: bool) -> Sequence[Input]:
        """Return the inputs of a calendar."""
        return _INPUTS

    async def new_values(self, asked: DeskRequest) -> Values:
        """Return the hours of an office."""
        weekdays = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), "09:00-17:00")
        return as_values({"zone": asked.viewer.zone.key, **weekdays})

    async def stored(self, asked: DeskRequest, key: str) -> Stored:
        """Return a calendar; with `country` and `year` in the query, also the public holidays that it does not have."""
        calendar = await admin_services(asked).calendars.find(ticket_number(key), asked.principal)
        exceptions = dict(calendar.exceptions) | await _proposed(asked, calendar)
        lines = [f"{day} {_shown(hours)}".strip() for day, hours in sorted(exceptions.items())]
        weekly = {day: _shown(calendar.weekly.get(day, [])) for day in _DAYS}
        values = as_values({"name": calendar.name, "zone": calendar.zone, **weekly, "exceptions": "\n".join(lines)})
        return Stored(calendar.name, values, calendar.version, acts=[_HOLIDAYS])

    async def create(self, asked: DeskRequest, values: Values) -> Response | None:
        """Create a calendar."""
        body = _names(values) | {"weekly": _weekly(values), "exceptions": _exceptions(values)}
        await admin_services(asked).calendars.create(new_of(CalendarCreate, body), asked.principal)
        return None

    async def change(self, asked: DeskRequest, key: str, change: Change) -> None:
        """Change a calendar. What the form does not have any more is removed."""
        calendars, calendar_id = admin_services(asked).calendars, ticket_number(key)
        sent = _exceptions(change.values)
        former = (await calendars.find(calendar_id, asked.principal)).exceptions
        exceptions: dict[str, Hours | None] = {day: None for day in former if day not in sent} | sent
        body = _names(change.values) | {"weekly": _weekly(change.values), "exceptions": exceptions}
        names = {*change.names, "exceptions"} if exceptions != former else change.names
        patch = validated(CalendarPatch, **members_of(body, names, _MEMBERS))
        await calendars.change(calendar_id, patch, asked.principal, expected=change.expected)


async def _proposed(asked: DeskRequest, calendar: Calendar) -> dict[str, Hours]:
    given = {name: value for name, value in asked.request.query_params.items() if value}
    if "country" not in given:
        return {}
    query = validated(HolidayQuery, "query", **given)
    return (await admin_services(asked).calendars.holidays(calendar.id, query, asked.principal)).exceptions


def _names(values: Values) -> dict[str, Any]:
    return {"name": values.text("name"), "zone": values.text("zone").strip()}


def _weekly(values: Values) -> dict[str, Hours]:
    return {day: _hours(values.text(day)) for day in _DAYS}


def _exceptions(values: Values) -> dict[str, Hours]:
    parts = (line.partition(" ") for line in values.lines("exceptions"))
    return {day: _hours(hours) for day, _, hours in parts}


def _hours(text: str) -> Hours:
    """Return the intervals of a text such as `09:00-12:00, 13:00-17:30`. The service validates them."""
    return [interval.split("-") for interval in text.replace(",", " ").replace("–", "-").split()]


def _shown(hours: Sequence[Sequence[str]]) -> str:
    return " ".join("-".join(interval) for interval in hours)
