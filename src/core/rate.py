"""Rates, and the generic cell rate algorithm (GCRA), which decides whether an event exceeds a rate.

This is the "virtual scheduling algorithm" of ITU-T Recommendation I.371 (Annex A) and the ATM Forum's Traffic
Management Specification 4.0. Its only state is the theoretical arrival time (TAT): the time at which the events
accepted so far would have arrived at the steady rate. An event is accepted if it moves the TAT to at most one burst
ahead of now.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

MAX_QUOTA: Final = 1_000_000
MAX_WINDOW_S: Final = 24 * 60 * 60

_FORMAT: Final = re.compile(r"([0-9]{1,7})/([0-9]{1,5})s")
_US: Final = 1_000_000


class Verdict(NamedTuple):
    """Whether an event is accepted, and how far ahead of now the TAT is afterwards, in microseconds."""

    passes: bool
    ahead_us: int


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `quota` events every `window_s` seconds; all of them may come at once."""

    quota: int
    window_s: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the rate that a text such as `600/60s` stands for. Raises ValueError."""
        parts = _FORMAT.fullmatch(text.strip())
        if parts is None:
            raise ValueError("must be a number of events and a number of seconds, for example 600/60s")
        quota, window_s = int(parts[1]), int(parts[2])
        if not (1 <= quota <= MAX_QUOTA and 1 <= window_s <= MAX_WINDOW_S):
            raise ValueError(f"must be 1 to {MAX_QUOTA} events in 1 to {MAX_WINDOW_S} seconds")
        return cls(quota, window_s)

    @property
    def interval_us(self) -> int:
        """The interval between events at the steady rate; rounded up, so that the rate is never exceeded."""
        return -(-self.window_s * _US // self.quota)

    @property
    def burst_us(self) -> int:
        """How far ahead of now the TAT may be."""
        return self.quota * self.interval_us

    def judge(self, arrival_us: int, now_us: int) -> Verdict:
        """Return the verdict on an event at `now_us`, where `arrival_us` is the TAT before it.

        A TAT further ahead than one burst comes from another clock or another rate. It counts as one burst ahead.
        """
        ahead_us = min(max(arrival_us - now_us, 0), self.burst_us)
        if ahead_us + self.interval_us > self.burst_us:
            return Verdict(False, ahead_us)
        return Verdict(True, ahead_us + self.interval_us)

    def remaining(self, ahead_us: int) -> int:
        """Return how many more events may come at once."""
        return (self.burst_us - ahead_us) // self.interval_us

    def full_after_s(self, ahead_us: int) -> int:
        """Return the seconds, rounded up, until the whole quota is available again."""
        return -(-ahead_us // _US)

    def next_after_s(self, ahead_us: int) -> int:
        """Return the seconds, rounded up and at least 1, until the next event is accepted."""
        return max(1, -(-(ahead_us + self.interval_us - self.burst_us) // _US))
