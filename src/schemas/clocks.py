"""The clocks of service levels, as a ticket shows them and as the database stores them."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

from models import ClockKind


class ClockState(StrEnum):
    """What a clock does."""

    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    BREACHED = "breached"
    SUSPENDED = "suspended"


class SlaClock(BaseModel):
    """A time budget of a ticket. It is spent in the working time of a calendar, while agents owe the answer."""

    kind: ClockKind = Field(description="What is measured.", examples=["first_response"])
    state: ClockState = Field(
        description="`running`, `paused`, `met` in time, `breached`: the budget was spent before it was met, or "
        "`suspended`: the ticket is under no policy with such a clock.",
        examples=["running"],
    )
    due_at: datetime | None = Field(
        description="The time at which the budget is spent, in UTC; null while the clock does not run.",
        examples=["2026-03-02T13:31:07.120345Z"],
    )
    remaining_s: int = Field(
        description="The seconds of working time that are left of the budget: while the clock runs, those that were "
        "left at `running_since`. Negative after a breach.",
        examples=[3600],
    )
    policy_id: int = Field(description="The id of the policy.", examples=[1])
    calendar_id: int = Field(description="The id of the calendar.", examples=[1])
    budget_s: int = Field(description="The budget, in seconds of working time.", examples=[3600])
    spent_s: float = Field(
        description="The seconds of working time that were spent before `running_since`, or altogether if it is null.",
        examples=[0.0],
    )
    running_since: datetime | None = Field(
        description="The time at which the clock began to run; null while it does not run.",
        examples=["2026-03-02T12:31:07.120345Z"],
    )
    warn_at: datetime | None = Field(
        description="The time of the warning, at 80 % of the budget; null after it, and while the clock does not run.",
        examples=["2026-03-02T13:19:07.120345Z"],
    )
    warned_at: datetime | None = Field(description="The time of the warning; null before it.", examples=[None])
    breached_at: datetime | None = Field(description="The time of the breach; null before it.", examples=[None])
    met_at: datetime | None = Field(description="The time at which the clock was met; null before it.", examples=[None])
