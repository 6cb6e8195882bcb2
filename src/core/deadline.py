"""The deadline of the current request.

It is a context variable, so a task that is started for a request inherits the deadline.
"""

import asyncio
from contextvars import ContextVar, Token

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def begin(seconds: float) -> Token[float | None]:
    """Set the deadline of this context to `seconds` from now; pass the token to `end`."""
    return _deadline.set(asyncio.get_running_loop().time() + seconds)


def end(token: Token[float | None]) -> None:
    """Remove the deadline."""
    _deadline.reset(token)


def postpone(seconds: float) -> None:
    """Move the deadline, if there is one, by the time that was spent on something other than the work."""
    deadline = _deadline.get()
    if deadline is not None:
        _deadline.set(deadline + seconds)


def lift() -> None:
    """Remove the deadline for what this context does from now on, such as a response that has no end."""
    _deadline.set(None)


def current() -> float | None:
    """Return the deadline by the clock of the event loop; None for work outside of a request."""
    return _deadline.get()
