"""The clocks of a ticket: how much of its time budgets is spent, and when each one is due.

A clock counts the working time of a calendar while agents owe the answer. The status alone says so:

kind            starts                        runs in                 is met by
first_response  with the policy, while open   open                    answered, closed
next_response   on entering awaiting_reply    awaiting_reply          answered, closed
resolution      with the policy               open, awaiting_reply    closed

`resolution` pauses in `answered`. All functions are pure: they return new clocks for a moment, which is the database's.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from models import ClockKind, TicketStatus
from services.sla.working_time import WorkingTime

# A clock is at risk, and its warning is due, when this share of the budget is spent.
WARN_AT: Final = 0.8


_RUNS_IN: Final[Mapping[ClockKind, Set[TicketStatus]]] = {
    ClockKind.FIRST_RESPONSE: {TicketStatus.OPEN},
    ClockKind.NEXT_RESPONSE: {TicketStatus.AWAITING_REPLY},
    ClockKind.RESOLUTION: {TicketStatus.OPEN, TicketStatus.AWAITING_REPLY},
}
_MET_BY: Final[Mapping[ClockKind, Set[TicketStatus]]] = {
    ClockKind.FIRST_RESPONSE: {TicketStatus.ANSWERED, TicketStatus.CLOSED},
    ClockKind.NEXT_RESPONSE: {TicketStatus.ANSWERED, TicketStatus.CLOSED},
    ClockKind.RESOLUTION: {TicketStatus.CLOSED},
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What a policy promises: budgets in seconds of the working time of a calendar."""

    policy_id: int
    calendar_id: int
    budgets: Mapping[ClockKind, int]


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock of a ticket. `spent_s` is the working time until `running_since`, or altogether while it does not run."""

    kind: ClockKind
    policy_id: int
    calendar_id: int
    budget_s: int
    spent_s: float = 0
    running_since: datetime | None = None
    warn_at: datetime | None = None
    due_at: datetime | None = None
    warned_at: datetime | None = None
    breached_at: datetime | None = None
    met_at: datetime | None = None
    is_suspended: bool = False
    """The ticket is under no policy with such a clock: it does not run, and keeps what was spent."""

    @property
    def next_at(self) -> datetime | None:
        """The time of the next warning or breach; None if none is to come."""
        if self.running_since is None or self.breached_at is not None:
            return None
        return self.due_at if self.warned_at is not None else self.warn_at

    def pause(self, now: datetime, time: WorkingTime) -> "Clock":
        """Return the clock as it does not run from now on."""
        if self.running_since is None:
            return self
        spent_s = round(self.spent_s + time.worked(self.running_since, now), 6)
        return replace(self, spent_s=spent_s, running_since=None, warn_at=None, due_at=None)

    def run(self, now: datetime, time: WorkingTime) -> "Clock":
        """Return the clock as it runs from now on. A clock that was overdue is due at once."""
        left_s = max(self.budget_s - self.spent_s, 0)
        until_warning_s = max(WARN_AT * self.budget_s - self.spent_s, 0)
        return replace(
            self,
            running_since=now,
            warn_at=time.due(now, until_warning_s) if self.warned_at is None else None,
            due_at=time.due(now, left_s),
        )


Clocks = Sequence[Clock]
WorkingTimes = Mapping[int, WorkingTime]


def assign(
    clocks: Clocks, terms: Terms | None, status: TicketStatus, now: datetime, times: WorkingTimes
) -> tuple[Clock, ...]:
    """Return the clocks under a policy, or under none: time that was spent stays spent, and what was met stays met.

    A clock that the policy does not have is suspended, so that it goes on when such a policy comes back.
    """
    before = {clock.kind: clock for clock in clocks}
    budgets = {} if terms is None else terms.budgets
    after: list[Clock] = []
    for kind in ClockKind:
        clock = before.get(kind)
        if clock is not None and clock.met_at is not None:
            after.append(clock)
        elif clock is not None and kind not in budgets:
            after.append(replace(clock.pause(now, times[clock.calendar_id]), is_suspended=True))
        elif terms is not None and kind in budgets and status not in _MET_BY[kind] | _not_begun(kind, status, clock):
            after.append(_under(clock, kind, terms, status, now, times))
    return tuple(after)


def move(
    clocks: Clocks, terms: Terms | None, source: TicketStatus, target: TicketStatus, now: datetime, times: WorkingTimes
) -> tuple[Clock, ...]:
    """Return the clocks after a transition."""
    after = {clock.kind: _moved(clock, source, target, now, times) for clock in clocks if _stays(clock, target)}
    kind = ClockKind.NEXT_RESPONSE
    if target is TicketStatus.AWAITING_REPLY and terms is not None and kind in terms.budgets:
        # Each question of the requester has a budget of its own.
        after[kind] = _under(None, kind, terms, target, now, times)
    return tuple(after[kind] for kind in ClockKind if kind in after)


def settle(clocks: Clocks, status: TicketStatus, now: datetime, times: WorkingTimes) -> tuple[Clock, ...]:
    """Return the clocks without those running that do not run in the status.

    A release that does not know clocks may have changed the status.
    """
    return tuple(
        clock
        if clock.running_since is None or status in _RUNS_IN[clock.kind]
        else _moved(clock, next(iter(_RUNS_IN[clock.kind])), status, now, times)
        for clock in clocks
    )


def warn(clocks: Clocks, kind: ClockKind, now: datetime) -> tuple[Clock, ...]:
    """Return the clocks after the warning of one of them."""
    return tuple(replace(clock, warned_at=now, warn_at=None) if clock.kind is kind else clock for clock in clocks)


def breach(clocks: Clocks, kind: ClockKind, now: datetime) -> tuple[Clock, ...]:
    """Return the clocks after the breach of one of them."""
    return tuple(replace(clock, breached_at=now) if clock.kind is kind else clock for clock in clocks)


def _not_begun(kind: ClockKind, status: TicketStatus, clock: Clock | None) -> Set[TicketStatus]:
    """Return the status as one in which the clock has nothing to measure: its question is of the past, or not asked."""
    is_resolution = kind is ClockKind.RESOLUTION
    return frozenset() if clock is not None or is_resolution or status in _RUNS_IN[kind] else {status}


def _under(
    clock: Clock | None, kind: ClockKind, terms: Terms, status: TicketStatus, now: datetime, times: WorkingTimes
) -> Clock:
    """Return the clock of a kind under other terms. A warning or a breach that these do not know is taken back."""
    spent_s = 0.0 if clock is None else clock.pause(now, times[clock.calendar_id]).spent_s
    budget_s = terms.budgets[kind]
    changed = Clock(kind, terms.policy_id, terms.calendar_id, budget_s, spent_s)
    if clock is not None:
        changed = replace(
            changed,
            warned_at=clock.warned_at if spent_s >= WARN_AT * budget_s else None,
            breached_at=clock.breached_at if spent_s >= budget_s else None,
        )
    return changed.run(now, times[terms.calendar_id]) if status in _RUNS_IN[kind] else changed


def _stays(clock: Clock, target: TicketStatus) -> bool:
    """Return whether a clock stays after a transition: a suspended one that would be met has no more to measure."""
    return not clock.is_suspended or target not in _MET_BY[clock.kind]


def _moved(clock: Clock, source: TicketStatus, target: TicketStatus, now: datetime, times: WorkingTimes) -> Clock:
    if clock.met_at is not None or clock.is_suspended:
        return clock
    time = times[clock.calendar_id]
    if target in _MET_BY[clock.kind]:
        return replace(clock.pause(now, time), met_at=now)
    ran, runs = source in _RUNS_IN[clock.kind], target in _RUNS_IN[clock.kind]
    if runs and not ran:
        return clock.run(now, time)
    return clock.pause(now, time) if ran and not runs else clock
