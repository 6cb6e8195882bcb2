"""The runner restarts background work that fails, and reports it until it has recovered."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from core import metrics
from core.process import BackgroundState
from workers.runner import Backoff, Runner, Work

AT_ONCE = Backoff(first_s=0, max_s=0, recovered_after_s=60)
TIMEOUT_S = 10


class Loop:
    """Work that runs `failure` in its first runs, and then until it is cancelled."""

    def __init__(self, failure: Callable[[], Awaitable[None]], failures: int = 1) -> None:
        self._failure, self._failures = failure, failures
        self.runs = 0
        self.is_cancelled = False
        self.runs_well = asyncio.Event()

    async def __call__(self) -> None:
        self.runs += 1
        if self.runs <= self._failures:
            await self._failure()
            return
        self.runs_well.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise


async def fails() -> None:
    raise LookupError("unexpected")


async def returns() -> None:
    pass


async def awaits_a_cancelled_task() -> None:
    task = asyncio.create_task(asyncio.sleep(TIMEOUT_S))
    task.cancel()
    await task


def failures_of(name: str) -> float:
    return metrics.REGISTRY.get_sample_value("tickets_background_failures_total", {"work": name}) or 0


@pytest.mark.parametrize("failure", [fails, returns, awaits_a_cancelled_task])
async def test_work_is_restarted_however_it_ends(
    failure: Callable[[], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    loop, state, name = Loop(failure, failures=3), BackgroundState(), f"work-that-{failure.__name__}"
    async with Runner([Work(name, loop)], state, AT_ONCE):
        await asyncio.wait_for(loop.runs_well.wait(), TIMEOUT_S)
        assert (loop.runs, failures_of(name)) == (4, 3)
        assert state.failing == [name]
        assert not state.is_required_failing
    assert loop.is_cancelled
    assert failures_of(name) == 3
    assert [record.exc_info is not None for record in caplog.records if name in record.message] == [True] * 3


async def test_other_work_goes_on_meanwhile() -> None:
    failing, other = Loop(fails, failures=5), Loop(fails, failures=0)
    async with Runner([Work("failing", failing), Work("other", other)], BackgroundState(), AT_ONCE):
        await asyncio.wait_for(failing.runs_well.wait(), TIMEOUT_S)
        assert other.runs == 1


async def test_required_work_that_fails_is_reported_until_it_has_recovered() -> None:
    loop, state = Loop(fails), BackgroundState()
    backoff = Backoff(first_s=0, max_s=0, recovered_after_s=0.05)
    async with Runner([Work("required", loop, is_required=True)], state, backoff):
        await asyncio.wait_for(loop.runs_well.wait(), TIMEOUT_S)
        assert state.is_required_failing
        async with asyncio.timeout(TIMEOUT_S):
            while state.failing:
                await asyncio.sleep(0.01)
        assert not state.is_required_failing


async def test_a_failure_during_the_stop_is_logged_and_not_followed_by_a_restart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runs = 0

    async def fail_when_cancelled() -> None:
        nonlocal runs
        runs += 1
        try:
            await asyncio.Event().wait()
        finally:
            raise LookupError("during the stop")

    async with Runner([Work("stopping", fail_when_cancelled)], BackgroundState(), AT_ONCE):
        await asyncio.sleep(0)
    assert runs == 1
    assert "background work stopping failed while it stopped" in caplog.messages


async def test_a_runner_stops_during_a_pause() -> None:
    loop = Loop(fails)
    async with asyncio.timeout(TIMEOUT_S):
        async with Runner([Work("pausing", loop)], BackgroundState(), Backoff(first_s=600, max_s=600)):
            while failures_of("pausing") == 0:
                await asyncio.sleep(0)
    assert loop.runs == 1


def test_pauses_double_up_to_a_minute_and_differ() -> None:
    backoff = Backoff()
    for failures, longest_s in [(1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (7, 60), (10_000, 60)]:
        pauses = {backoff.pause_s(failures) for _ in range(100)}
        assert len(pauses) > 50
        assert longest_s / 2 <= min(pauses) <= max(pauses) <= longest_s
