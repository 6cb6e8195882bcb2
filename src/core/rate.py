"""How often something may happen, and the rule by which that is decided: the generic cell rate algorithm (GCRA).

The rule is the "virtual scheduling algorithm" of ITU-T Recommendation I.371 (Annex A) and the ATM Forum's Traffic
Management Specification 4.0. All it remembers is the theoretical arrival time, at which what was let through so far
would be paid for at the steady rate. What comes is let through as long as that lies at most a burst ahead.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

MAX_QUOTA: Final = 1_000_000
MAX_WINDOW_S: Final = 24 * 60 * 60

_WRITTEN: Final = re.compile(r"([0-9]{1,7})/([0-9]{1,5})s")
_US: Final = 1_000_000


class Verdict(NamedTuple):
    """Whether it may pass, and how far ahead of now the theoretical arrival time lies afterwards, in microseconds."""

    passes: bool
    ahead_us: int


@dataclass(frozen=True, slots=True)
class Rate:
    """`quota` times every `window_s` seconds, all of which may come at once."""

    quota: int
    window_s: int

    @classmethod
    def parse(cls, written: str) -> Self:
        """Return the rate that is written as `600/60s`. Raises ValueError."""
        parts = _WRITTEN.fullmatch(written.strip())
        if parts is None:
            raise ValueError("must be a number of times and a number of seconds, as 600/60s")
        quota, window_s = int(parts[1]), int(parts[2])
        if not (1 <= quota <= MAX_QUOTA and 1 <= window_s <= MAX_WINDOW_S):
            raise ValueError(f"must be 1 to {MAX_QUOTA} times in 1 to {MAX_WINDOW_S} seconds")
        return cls(quota, window_s)

    @property
    def interval_us(self) -> int:
        """What one costs; rounded up, so that never more pass than promised."""
        return -(-self.window_s * _US // self.quota)

    @property
    def burst_us(self) -> int:
        """How far ahead the theoretical arrival time may come to lie."""
        return self.quota * self.interval_us

    def judge(self, arrival_us: int, now_us: int) -> Verdict:
        """Return what becomes of one that comes now; `arrival_us` is the theoretical arrival time until now.

        One that lies further ahead than it ever could was made by another clock or for another rate.
        """
        ahead_us = min(max(arrival_us - now_us, 0), self.burst_us)
        if ahead_us + self.interval_us > self.burst_us:
            return Verdict(False, ahead_us)
        return Verdict(True, ahead_us + self.interval_us)

    def remaining(self, ahead_us: int) -> int:
        """Return how many more may pass at once."""
        return (self.burst_us - ahead_us) // self.interval_us

    def full_after_s(self, ahead_us: int) -> int:
        """Return after how many seconds, rounded up, the whole quota may be used again."""
        return -(-ahead_us // _US)

    def next_after_s(self, ahead_us: int) -> int:
        """Return after how many seconds, rounded up and at least one, the next may pass."""
        return max(1, -(-(ahead_us + self.interval_us - self.burst_us) // _US))
