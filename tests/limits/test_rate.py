"""The algorithm of the rate limits: it never exceeds its rate, and equals a token bucket."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.rate import Rate
from core.settings import Settings

RATES = st.builds(Rate, st.integers(1, 50), st.integers(1, 120))
GAPS_US = st.lists(st.one_of(st.just(0), st.integers(0, 10**6), st.integers(0, 10**8)), max_size=120)


def accepted(rate: Rate, gaps_us: list[int]) -> list[int]:
    """Return the times of the accepted events, of those that come after these gaps."""
    now_us, arrival_us, times_us = 10**15, 0, []
    for gap_us in gaps_us:
        now_us += gap_us
        verdict = rate.judge(arrival_us, now_us)
        if verdict.passes:
            arrival_us = now_us + verdict.ahead_us
            times_us.append(now_us)
    return times_us


@given(RATES, GAPS_US)
def test_no_more_events_are_accepted_than_the_burst_plus_the_rate(rate: Rate, gaps_us: list[int]) -> None:
    times_us = accepted(rate, gaps_us)
    for first, since_us in enumerate(times_us):
        for count, until_us in enumerate(times_us[first:], start=1):
            assert count <= rate.quota + (until_us - since_us) * rate.quota / (rate.window_s * 10**6)


def accepted_by_bucket(rate: Rate, gaps_us: list[int]) -> list[int]:
    """The same rule as a token bucket that gains one token in each interval, in millionths of a token."""
    now_us, times_us = 10**15, []
    capacity_us = tokens_us = rate.quota * rate.interval_us
    for gap_us in gaps_us:
        now_us += gap_us
        tokens_us = min(capacity_us, tokens_us + gap_us)
        if tokens_us >= rate.interval_us:
            tokens_us -= rate.interval_us
            times_us.append(now_us)
    return times_us


def test_every_short_sequence_at_a_small_rate_equals_a_token_bucket() -> None:
    for quota, window_s in product((1, 2, 3), (1, 2, 6)):
        rate = Rate(quota, window_s)
        half = rate.interval_us // 2
        for gaps_us in product((0, half, rate.interval_us, 3 * rate.interval_us + 1), repeat=6):
            assert accepted(rate, list(gaps_us)) == accepted_by_bucket(rate, list(gaps_us))


@given(RATES, GAPS_US)
def test_every_sequence_equals_a_token_bucket(rate: Rate, gaps_us: list[int]) -> None:
    assert accepted(rate, gaps_us) == accepted_by_bucket(rate, gaps_us)


@given(RATES, st.integers(0, 10**15))
def test_the_reported_quota_and_times_are_exact(rate: Rate, arrival_us: int) -> None:
    """`remaining` events pass at once, the next one after `next_after_s`, the whole quota after `full_after_s`."""
    now_us = 10**15
    verdict = rate.judge(arrival_us, now_us)
    assert len(accepted_from(rate, now_us + verdict.ahead_us, now_us)) == rate.remaining(verdict.ahead_us)
    assert accepted_from(rate, now_us + verdict.ahead_us, now_us + rate.next_after_s(verdict.ahead_us) * 10**6)
    full_us = now_us + rate.full_after_s(verdict.ahead_us) * 10**6
    assert len(accepted_from(rate, now_us + verdict.ahead_us, full_us)) == rate.quota


def accepted_from(rate: Rate, arrival_us: int, now_us: int) -> list[int]:
    times_us: list[int] = []
    while (verdict := rate.judge(arrival_us, now_us)).passes:
        arrival_us = now_us + verdict.ahead_us
        times_us.append(now_us)
    return times_us


def test_a_clock_that_is_set_back_refuses_no_client_for_longer_than_the_burst() -> None:
    rate = Rate(3, 60)
    assert rate.judge(10**15, 10**9).ahead_us == rate.burst_us


@pytest.mark.parametrize(("text", "rate"), [("600/60s", Rate(600, 60)), (" 1/86400s ", Rate(1, 86_400))])
def test_a_rate_is_parsed(text: str, rate: Rate) -> None:
    assert Settings(_env_file=None, rate_limit=text).rate_limit == rate


@pytest.mark.parametrize(
    "text", ["600", "0/60s", "600/0s", "600/60", "600/1m", "-1/60s", "9999999/1s", "1/99999s", "x"]
)
def test_any_other_format_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="must be"):
        Settings(_env_file=None, rate_limit=text)


def test_the_environment_sets_the_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT", "5/1s")
    monkeypatch.setenv("AUTH_FAILURE_LIMIT", "3/10s")
    settings = Settings(_env_file=None)
    assert (settings.rate_limit, settings.auth_failure_limit) == (Rate(5, 1), Rate(3, 10))
    monkeypatch.setenv("RATE_LIMIT", "")
    assert Settings(_env_file=None).rate_limit is None
