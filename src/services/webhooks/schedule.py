"""When a delivery is tried again, and when an endpoint is paused and switched off."""

import random
from dataclasses import dataclass
from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class Schedule:
    """All times in seconds. Tests shorten them.

    A delivery is tried again after each of `retries_s`, up to a fifth earlier or later; then it is dead. An endpoint is
    paused after `pause_after` failures in a row, and then tried with one delivery after each pause, which doubles. It
    is switched off when all attempts have failed for `off_after_s`.

    A request takes at most `timeout_s`. When the process stops, requests in progress have `grace_s`.

    A claim that is not reported within `claim_s` is lost, and another process sends the delivery again. A delivery
    waits for the earlier ones of its ticket for `order_s`.
    """

    retries_s: tuple[float, ...] = (
        *(5, 5 * _MINUTE, 30 * _MINUTE),
        *(2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR),
    )
    jitter: float = 0.2
    pause_after: int = 5
    first_pause_s: float = 30
    max_pause_s: float = 15 * _MINUTE
    throttled_s: float = 60
    off_after_s: float = 5 * _DAY
    timeout_s: float = 15
    grace_s: float = 2
    claim_s: float = 40
    order_s: float = 5 * _MINUTE

    def delay_s(self, attempts: int) -> float | None:
        """Return the pause after a number of failed attempts; None if it was the last one."""
        if attempts > len(self.retries_s):
            return None
        return self.retries_s[attempts - 1] * random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 - no secret


DEFAULT_SCHEDULE: Final = Schedule()
