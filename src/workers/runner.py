"""Runs the background work of a process: loops that are restarted when they fail."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from core import metrics
from core.process import BackgroundState

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """A loop that runs until it is cancelled; `run` starts it, and starts it again after a failure.

    While work fails that `is_required`, the service is not ready.
    """

    name: str
    run: Callable[[], Awaitable[None]]
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pauses between a failure and the restart.

    The first is at least `first_s`, each further one about twice the one before, at most `max_s`. Half of each is
    random, so that several processes do not restart at the same moment. Work that has run for `recovered_after_s` has
    recovered: the next pause is again a first one.
    """

    first_s: float = 1
    max_s: float = 60
    recovered_after_s: float = 60

    def pause_s(self, failures: int) -> float:
        """Return the pause after the given number of failures in a row."""
        longest = min(self.max_s, self.first_s * 2.0 ** min(failures, 30))
        return longest * random.uniform(0.5, 1)  # noqa: S311 - not a secret


DEFAULT_BACKOFF: Final = Backoff()


class Runner(AbstractAsyncContextManager["Runner"]):
    """Runs each work in a task of its own while the context is open, and cancels them all at its end.

    Work has failed when it raises, when it returns, or when something that it awaits was cancelled. Each failure is
    logged and counted. It is visible in `state` until the work has recovered.
    """

    def __init__(self, works: Iterable[Work], state: BackgroundState, backoff: Backoff = DEFAULT_BACKOFF) -> None:
        self._works = list(works)
        self._state = state
        self._backoff = backoff
        self._tasks: list[asyncio.Task[None]] = []
        for work in self._works:
            metrics.background_failures.labels(work.name)  # exported from the start, as 0

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._supervise(work), name=work.name) for work in self._works]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _supervise(self, work: Work) -> None:
        failures = 0

        def recover() -> None:
            nonlocal failures
            failures = 0
            self._state.recover(work.name)

        while True:
            recovery = asyncio.get_running_loop().call_later(self._backoff.recovered_after_s, recover)
            error = await _failure_of(work)
            recovery.cancel()
            failures += 1
            metrics.background_failures.labels(work.name).inc()
            if _is_stopping():
                _log.error("background work %s failed while it stopped", work.name, exc_info=error)
                return
            self._state.fail(work.name, is_required=work.is_required)
            pause_s = self._backoff.pause_s(failures)
            _log.error("background work %s failed; restarting it in %.1f s", work.name, pause_s, exc_info=error)
            await asyncio.sleep(pause_s)


async def _failure_of(work: Work) -> BaseException:
    """Run work until it fails, and return the error. Raises CancelledError when the runner stops."""
    try:
        await work.run()
    except asyncio.CancelledError as error:
        if _is_stopping():
            raise
        return error
    except Exception as error:  # noqa: BLE001 - whatever the error is, the work must be restarted
        return error
    if _is_stopping():
        raise asyncio.CancelledError
    return RuntimeError("the work returned, but must run until it is cancelled")


def _is_stopping() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
