"""An oracle for clocks and automatic closes: it counts working minutes one by one, and knows nothing of the service."""

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from support.factories import JSON

RUNS_IN = {"first_response": {"open"}, "next_response": {"awaiting_reply"}, "resolution": {"open", "awaiting_reply"}}
MET_BY = {
    "first_response": {"answered", "closed"},
    "next_response": {"answered", "closed"},
    "resolution": {"closed"},
}
NEVER = 10**9
QUARTER = 15

Fact = tuple[str, str, int]


class Minutes:
    """The working minutes of a calendar, counted from `start`: each is looked up by its local time.

    The hours begin and end at quarters of an hour, so that one lookup holds for fifteen minutes.
    """

    def __init__(self, start: datetime, days: int, zone: str, weekly: JSON, exceptions: JSON) -> None:
        local_zone = ZoneInfo(zone)
        instants = (start + timedelta(minutes=minute) for minute in range(0, days * 1440, QUARTER))
        works = [_works(instant.astimezone(local_zone), weekly, exceptions) for instant in instants]
        self._before = [0, *accumulate(work for work in works for _ in range(QUARTER))]

    def between(self, since: int, until: int) -> int:
        return self._before[until] - self._before[since]

    def after(self, since: int, count: int) -> int:
        """Return the minute at which `count` working minutes have passed."""
        found = bisect_left(self._before, self._before[since] + count, lo=since)
        return found if found < len(self._before) else NEVER


def _works(local: datetime, weekly: JSON, exceptions: JSON) -> int:
    time, yesterday = f"{local:%H:%M}", local - timedelta(days=1)
    today = any(a <= time < b or (b <= a and time >= a) for a, b in _hours(local, weekly, exceptions))
    night = any(b <= a and time < b for a, b in _hours(yesterday, weekly, exceptions))
    return int(today or night)


def _hours(local: datetime, weekly: JSON, exceptions: JSON) -> list[list[str]]:
    usual: list[list[str]] = weekly.get(f"{local:%a}".lower(), [])
    hours: list[list[str]] = exceptions.get(f"{local:%Y-%m-%d}", usual)
    return hours


@dataclass
class Count:
    """A clock: the minutes that were spent until `since`, at which it began to run."""

    calendar: Minutes
    budget: int
    spent: int = 0
    since: int | None = None
    warned: bool = False
    breached: bool = False
    met: bool = False
    suspended: bool = False

    def pause(self, minute: int) -> None:
        if self.since is not None:
            self.spent += self.calendar.between(self.since, minute)
            self.since = None

    def next(self) -> int:
        if self.since is None or self.breached:
            return NEVER
        share = self.budget if self.warned else self.budget * 4 // 5
        return self.calendar.after(self.since, max(share - self.spent, 0))


@dataclass
class Oracle:
    """A ticket: `facts` are the events that come by themselves, as (type, kind of the clock, minute)."""

    policies: dict[str, tuple[Minutes, dict[str, int]]]
    close_after: int
    notice: int
    priority: str
    status: str = "open"
    counts: dict[str, Count] = field(default_factory=dict)
    close_at: int | None = None
    close_warned: bool = False
    facts: list[Fact] = field(default_factory=list)

    def begin(self, minute: int) -> None:
        self._assign(minute)

    def prioritise(self, priority: str, minute: int) -> None:
        self.priority = priority
        self._assign(minute)

    def move(self, target: str, minute: int) -> None:
        source, self.status = self.status, target
        for kind, count in self.counts.items():
            if count.met:
                continue
            if target in MET_BY[kind]:
                count.pause(minute)
                count.met = not count.suspended
            elif count.suspended:
                continue
            elif target in RUNS_IN[kind] and source not in RUNS_IN[kind]:
                count.since = minute
            elif target not in RUNS_IN[kind]:
                count.pause(minute)
        ended = {kind for kind, count in self.counts.items() if count.suspended and target in MET_BY[kind]}
        self.counts = {kind: count for kind, count in self.counts.items() if kind not in ended}
        if target == "awaiting_reply" and "next_response" in self._budgets:
            self.counts["next_response"] = Count(self._calendar, self._budgets["next_response"], since=minute)
        self.close_at = minute + self.close_after if target == "answered" else None
        self.close_warned = False

    def comment(self, minute: int, *, by_requester: bool) -> None:
        if self.status == "answered":
            self.close_at = None if by_requester else minute + self.close_after
            self.close_warned = False

    def advance(self, minute: int) -> None:
        """Let happen what is due up to a minute."""
        while self.status != "closed":
            due = min(
                [(count.next(), kind) for kind, count in self.counts.items() if not count.met], default=(NEVER, "")
            )
            close = NEVER if self.close_at is None else self.close_at - (0 if self.close_warned else self.notice)
            if min(due[0], close) > minute:
                return
            if due[0] <= close:
                count = self.counts[due[1]]
                self.facts.append(("sla_breached" if count.warned else "sla_warned", due[1], due[0]))
                count.breached, count.warned = count.warned, True
            elif self.close_warned:
                self.facts.append(("closed", "", close))
                self.move("closed", close)
            else:
                self.facts.append(("close_warned", "", close))
                self.close_warned = True

    @property
    def _budgets(self) -> dict[str, int]:
        return self.policies[self.priority][1] if self.priority in self.policies else {}

    @property
    def _calendar(self) -> Minutes:
        return self.policies[self.priority][0]

    def _assign(self, minute: int) -> None:
        for kind, runs_in in RUNS_IN.items():
            count = self.counts.get(kind)
            if count is not None and count.met:
                continue
            begins = count is not None or kind == "resolution" or self.status in runs_in
            if kind not in self._budgets or not begins or self.status in MET_BY[kind]:
                if count is not None:
                    count.pause(minute)
                    count.suspended = True
                continue
            budget = self._budgets[kind]
            changed = Count(self._calendar, budget)
            if count is not None:
                count.pause(minute)
                changed.spent = count.spent
                changed.warned = count.warned and count.spent >= budget * 4 // 5
                changed.breached = count.breached and count.spent >= budget
            changed.since = minute if self.status in runs_in else None
            self.counts[kind] = changed
