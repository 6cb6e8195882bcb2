"""The kinds of clocks of service levels."""

from enum import StrEnum


class ClockKind(StrEnum):
    """What a clock of a ticket measures."""

    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"
    RESOLUTION = "resolution"


class SlaState(StrEnum):
    """The worst state of the clocks of a ticket that lists filter by."""

    AT_RISK = "at_risk"
    BREACHED = "breached"
