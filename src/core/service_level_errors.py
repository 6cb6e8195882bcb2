"""The errors of service levels: calendars of working hours.

Like those of `core.errors`, they do not depend on HTTP.
"""

from core.errors import Fault, ServiceError


class CalendarNotFound(ServiceError):
    """No calendar has this id."""


class TooManyCalendars(ServiceError):
    """There are as many calendars as there may be."""


class InvalidCalendar(ServiceError):
    """The hours of a calendar break a rule that concerns several of them; `faults` has each such place."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.detail for fault in faults))
        self.faults = faults


class PolicyNotFound(ServiceError):
    """No policy of service levels has this id."""


class TooManyPolicies(ServiceError):
    """There are as many policies of service levels as there may be."""
