"""The problem types of service levels: calendars of working hours."""

from collections.abc import Mapping
from typing import Final

from api.problems.problem_type import ProblemType
from core import service_level_errors as errors

SERVICE_LEVEL_PROBLEMS: Final[Mapping[type[Exception], ProblemType]] = {
    errors.CalendarNotFound: ProblemType(
        404,
        "calendar-not-found",
        "Calendar not found",
        "No calendar with this id exists.",
        "Check the id. Calendars are never deleted. `GET /calendars` lists all calendars with their ids.",
    ),
    errors.TooManyCalendars: ProblemType(
        409,
        "too-many-calendars",
        "Too many calendars",
        "There are 100 calendars, which is the maximum.",
        "Change a calendar that is not used with `PATCH /calendars/{calendar_id}`, its name included. Calendars are "
        "never deleted, because the clocks of tickets refer to them.",
    ),
    errors.InvalidCalendar: ProblemType(
        422,
        "invalid-calendar",
        "Invalid calendar",
        "The calendar would have no hours, intervals that overlap, or too many exceptions.",
        "Each entry of `errors` names a place in the calendar as it would be after the request. An interval that ends "
        "on the next day may not overlap the intervals of that day, be it a weekday or an exception.",
        extensions={"errors": [{"detail": "must not overlap another interval", "pointer": "#/weekly/mon/1"}]},
    ),
    errors.PolicyNotFound: ProblemType(
        404,
        "policy-not-found",
        "Policy not found",
        "No policy of service levels with this id exists.",
        "Check the id. Policies are never deleted. `GET /sla-policies` lists all policies.",
    ),
    errors.TooManyPolicies: ProblemType(
        409,
        "too-many-policies",
        "Too many policies",
        "There are 100 policies of service levels, which is the maximum.",
        "Change a policy that is not active any more instead of creating one.",
    ),
}
