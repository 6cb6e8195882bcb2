"""The rule of the rate limits, against what it promises."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.rate import Rate
from core.settings import Settings

RATES = st.builds(Rate, st.integers(1, 50), st.integers(1, 120))
GAPS_US = st.lists(st.one_of(st.just(0), st.integers(0, 10**6), st.integers(0, 10**8)), max_size=120)


def passing(rate: Rate, gaps_us: list[int]) -> list[int]:
    """Return when something passes, of what comes after these gaps."""
    now_us, arrival_us, passed = 10**15, 0, []
    for gap_us in gaps_us:
        now_us += gap_us
        verdict = rate.judge(arrival_us, now_us)
        if verdict.passes:
            arrival_us = now_us + verdict.ahead_us
            passed.append(now_us)
    return passed


@given(RATES, GAPS_US)
def test_never_more_pass_than_the_burst_and_what_the_rate_adds(rate: Rate, gaps_us: list[int]) -> None:
    passed = passing(rate, gaps_us)
    for first, since_us in enumerate(passed):
        for count, until_us in enumerate(passed[first:], start=1):
            assert count <= rate.quota + (until_us - since_us) * rate.quota / (rate.window_s * 10**6)


def as_a_bucket(rate: Rate, gaps_us: list[int]) -> list[int]:
    """The same said in another way: a bucket of tokens, of which one drips in each interval (in millionths of one)."""
    now_us, passed = 10**15, []
    fullest = tokens_us = rate.quota * rate.interval_us
    for gap_us in gaps_us:
        now_us += gap_us
        tokens_us = min(fullest, tokens_us + gap_us)
        if tokens_us >= rate.interval_us:
            tokens_us -= rate.interval_us
            passed.append(now_us)
    return passed


def test_every_short_history_of_a_small_limit_passes_what_a_bucket_of_tokens_passes() -> None:
    for quota, window_s in product((1, 2, 3), (1, 2, 6)):
        rate = Rate(quota, window_s)
        half = rate.interval_us // 2
        for gaps_us in product((0, half, rate.interval_us, 3 * rate.interval_us + 1), repeat=6):
            assert passing(rate, list(gaps_us)) == as_a_bucket(rate, list(gaps_us))


@given(RATES, GAPS_US)
def test_every_history_passes_what_a_bucket_of_tokens_passes(rate: Rate, gaps_us: list[int]) -> None:
    assert passing(rate, gaps_us) == as_a_bucket(rate, gaps_us)


@given(RATES, st.integers(0, 10**15))
def test_what_is_told_comes_true(rate: Rate, arrival_us: int) -> None:
    """As many pass at once as remain, the next one after the time that was told, all after the whole time."""
    now_us = 10**15
    verdict = rate.judge(arrival_us, now_us)
    assert len(passing_from(rate, now_us + verdict.ahead_us, now_us)) == rate.remaining(verdict.ahead_us)
    assert passing_from(rate, now_us + verdict.ahead_us, now_us + rate.next_after_s(verdict.ahead_us) * 10**6)
    full_us = now_us + rate.full_after_s(verdict.ahead_us) * 10**6
    assert len(passing_from(rate, now_us + verdict.ahead_us, full_us)) == rate.quota


def passing_from(rate: Rate, arrival_us: int, now_us: int) -> list[int]:
    passed: list[int] = []
    while (verdict := rate.judge(arrival_us, now_us)).passes:
        arrival_us = now_us + verdict.ahead_us
        passed.append(now_us)
    return passed


def test_a_clock_that_was_set_back_locks_nobody_out_for_longer_than_the_burst() -> None:
    rate = Rate(3, 60)
    assert rate.judge(10**15, 10**9).ahead_us == rate.burst_us


@pytest.mark.parametrize(("written", "rate"), [("600/60s", Rate(600, 60)), (" 1/86400s ", Rate(1, 86_400))])
def test_a_rate_is_read_as_it_is_written(written: str, rate: Rate) -> None:
    assert Settings(_env_file=None, rate_limit=written).rate_limit == rate


@pytest.mark.parametrize(
    "written", ["600", "0/60s", "600/0s", "600/60", "600/1m", "-1/60s", "9999999/1s", "1/99999s", "x"]
)
def test_any_other_writing_is_refused(written: str) -> None:
    with pytest.raises(ValidationError, match="must be"):
        Settings(_env_file=None, rate_limit=written)


def test_the_environment_sets_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT", "5/1s")
    monkeypatch.setenv("AUTH_FAILURE_LIMIT", "3/10s")
    settings = Settings(_env_file=None)
    assert (settings.rate_limit, settings.auth_failure_limit) == (Rate(5, 1), Rate(3, 10))
    monkeypatch.setenv("RATE_LIMIT", "")
    assert Settings(_env_file=None).rate_limit is None
