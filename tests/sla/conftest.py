"""A service with an admin, an agent and a requester, and bodies of calendars."""

import secrets

from directory.conftest import directory, directory_sql
from support.factories import JSON

__all__ = ["directory", "directory_sql"]

OFFICE_HOURS = {day: [["09:00", "17:30"]] for day in ("mon", "tue", "wed", "thu", "fri")}


def a_calendar(**fields: object) -> JSON:
    """Return the body of a new calendar with a name of its own."""
    return {"name": secrets.token_hex(6), "zone": "Europe/Berlin", "weekly": OFFICE_HOURS} | fields
