"""The examples of calendars. Each request succeeds unchanged."""

from typing import Any, Final

from api.openapi.directory_examples import example_of
from schemas.calendars import Calendar, Due, HolidayProposal, ListedCalendar, Worked

NEW_CALENDAR: Final = {
    "office": {
        "summary": "Office hours with a holiday",
        "value": {
            "name": "Support",
            "zone": "Europe/Berlin",
            "weekly": {day: [["09:00", "17:30"]] for day in ("mon", "tue", "wed", "thu", "fri")},
            "exceptions": {"2026-12-24": [["09:00", "12:00"]], "2026-12-25": []},
        },
    },
    "nights": {
        "summary": "Night shifts at the end of the week",
        "value": {
            "name": "Support at night",
            "zone": "America/New_York",
            "weekly": {"fri": [["22:00", "06:00"]], "sat": [["22:00", "06:00"]]},
        },
    },
}
CALENDAR_PATCH: Final = {
    "holidays": {"summary": "Add a holiday", "value": {"exceptions": {"2026-12-26": []}}},
    "weekday": {"summary": "Shorten Fridays", "value": {"weekly": {"fri": [["09:00", "15:00"]]}}},
}

_CALENDAR: Final = example_of(Calendar)

RESPONSES: Final[dict[str, Any]] = {
    "calendar": _CALENDAR,
    "calendars": {"items": [example_of(ListedCalendar)]},
    "due": example_of(Due),
    "worked": example_of(Worked),
    "holidays": example_of(HolidayProposal),
}
