"""Until when the work for the request at hand must be done.

A task that is started for a request inherits its deadline, as it does every context variable.
"""

import asyncio
from contextvars import ContextVar, Token

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def begin(seconds: float) -> Token[float | None]:
    """Give what runs in this context `seconds` from now; hand the token to `end`."""
    return _deadline.set(asyncio.get_running_loop().time() + seconds)


def end(token: Token[float | None]) -> None:
    """Forget the deadline again."""
    _deadline.reset(token)


def current() -> float | None:
    """Return the deadline by the clock of the event loop; None for work that no request waits for."""
    return _deadline.get()
