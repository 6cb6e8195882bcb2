"""A service with an admin, an agent and a requester."""

from directory.conftest import directory

__all__ = ["directory"]

OFFICE_HOURS = {day: [["09:00", "17:30"]] for day in ("mon", "tue", "wed", "thu", "fri")}
