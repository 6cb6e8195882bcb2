"""An endpoint that fails is paused, then probed; its events are dead after three days at the earliest."""

import pytest

from webhooks.conftest import Hooks
from webhooks.receiver import Receiver, Reply


async def test_five_failures_pause_an_endpoint_and_one_delivery_probes_it(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    for _ in range(8):
        await hooks.ticket()
    await hooks.feed()
    receiver.behaviour = lambda _: Reply(500)
    deliverer = hooks.deliverer()
    assert [await deliverer.deliver_due() for _ in range(3)] == [4, 4, 0]
    assert (await hooks.one("webhook_endpoints", endpoint))["failures"] == 5  # the others began before the pause
    await hooks.pass_time(30)
    assert [await deliverer.deliver_due() for _ in range(2)] == [1, 0]  # the probe; the next pause takes a minute
    await hooks.pass_time(31)
    assert await deliverer.deliver_due() == 0
    receiver.behaviour = lambda _: Reply(204)
    await hooks.pass_time(30)
    assert await deliverer.deliver_due() == 1
    row = await hooks.one("webhook_endpoints", endpoint)
    assert (row["failures"], row["failing_since"]) == (0, None)
    assert await deliverer.deliver_due() > 1


async def test_a_pause_takes_a_quarter_of_an_hour_at_most(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.endpoint(receiver.url, failures=1000)
    await hooks.ticket()
    await hooks.feed()
    receiver.behaviour = lambda _: Reply(500)
    assert await hooks.deliverer().deliver_due() == 1
    pause = "SELECT extract(epoch FROM not_before - now()) FROM webhook_endpoints WHERE id = $1"
    assert 890 < await hooks.sql.fetchval(pause, endpoint) <= 900


async def test_a_delivery_is_dead_after_ten_attempts_over_three_days(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    await hooks.ticket()
    await hooks.feed()
    receiver.behaviour = lambda _: Reply(500)
    deliverer = hooks.deliverer(jitter=0, first_pause_s=0.001, max_pause_s=0.001)
    waited_s = 0
    for pause_s in (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400):
        assert await hooks.states(endpoint) == ["pending"]
        await hooks.pass_time(pause_s)
        waited_s += pause_s
        assert await deliverer.deliver_due() == 1
    assert await hooks.states(endpoint) == ["dead"]
    assert 3 * 86_400 < waited_s < 4 * 86_400
    await hooks.pass_time(10 * 86_400)
    assert await deliverer.deliver_due() == 0


@pytest.mark.parametrize(("value", "wait_s"), [("120", 120), (None, 60), ("9999999", 86_400)])
async def test_retry_after_is_honoured_for_the_whole_endpoint(
    hooks: Hooks, receiver: Receiver, value: str | None, wait_s: int
) -> None:
    await hooks.endpoint(receiver.url, max_in_flight=1)
    await hooks.ticket()
    await hooks.ticket()
    await hooks.feed()
    receiver.behaviour = lambda _: Reply(429, {} if value is None else {"Retry-After": value})
    deliverer = hooks.deliverer()
    assert await deliverer.deliver_due() == 1
    await hooks.pass_time(wait_s - 2)
    assert await deliverer.deliver_due() == 0
    receiver.behaviour = lambda _: Reply(204)
    await hooks.pass_time(3)
    assert [await deliverer.deliver_due() for _ in range(2)] == [1, 1]
    assert len(set(receiver.ids)) == 2


async def test_410_switches_an_endpoint_off_and_keeps_what_is_due(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    await hooks.ticket(changes=1)
    await hooks.feed()
    receiver.behaviour = lambda _: Reply(410)
    deliverer = hooks.deliverer()
    assert [await deliverer.deliver_due() for _ in range(2)] == [1, 0]
    row = await hooks.one("webhook_endpoints", endpoint)
    assert (row["state"], row["state_reason"], row["version"]) == ("off", "gone", 2)
    await hooks.ticket()
    await hooks.feed()
    assert await hooks.states(endpoint) == ["pending", "pending"]
    receiver.behaviour = lambda _: Reply(204)
    await hooks.sql.execute("UPDATE webhook_endpoints SET state = 'on', not_before = NULL WHERE id = $1", endpoint)
    await hooks.feed()
    while await deliverer.deliver_due():
        pass
    assert await hooks.states(endpoint) == ["done"] * 4  # the last one says that it was switched off


async def test_five_days_of_failures_switch_an_endpoint_off(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    await hooks.ticket()
    await hooks.feed()
    receiver.behaviour = lambda _: Reply(500)
    deliverer = hooks.deliverer(jitter=0)
    await deliverer.deliver_due()
    await hooks.pass_time(4.9 * 86_400)
    await deliverer.deliver_due()
    assert (await hooks.one("webhook_endpoints", endpoint))["state"] == "on"
    await hooks.pass_time(0.2 * 86_400)
    await deliverer.deliver_due()
    row = await hooks.one("webhook_endpoints", endpoint)
    assert (row["state"], row["state_reason"]) == ("off", "failing")


async def test_a_success_ends_the_days_of_failures(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    for status, days in ((500, 4.0), (204, 1.5), (500, 0.0)):
        await hooks.ticket()
        await hooks.feed()
        receiver.behaviour = lambda _, status=status: Reply(status)  # type: ignore[misc]
        await hooks.deliverer().deliver_due()
        await hooks.pass_time(days * 86_400)
    assert (await hooks.one("webhook_endpoints", endpoint))["state"] == "on"


async def test_a_timeout_is_a_failure_whose_reason_is_kept(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.endpoint(receiver.url)
    await hooks.ticket()
    await hooks.feed()
    receiver.behaviour = lambda _: Reply(delay_s=60)
    await hooks.deliverer(timeout_s=0.1).deliver_due()
    (attempt,) = await hooks.sql.fetch("SELECT status, error FROM webhook_attempts")
    assert (attempt["status"], attempt["error"]) == (None, "no response within 0.1 s")


async def test_an_address_that_is_not_allowed_any_more_is_not_called(hooks: Hooks) -> None:
    await hooks.endpoint("https://10.0.0.1/hook")
    await hooks.ticket()
    await hooks.feed()
    await hooks.deliverer().deliver_due()
    (attempt,) = await hooks.sql.fetch("SELECT status, error FROM webhook_attempts")
    assert attempt["error"] == "address not allowed: 10.0.0.1 is not a public address"


async def test_a_secret_that_cannot_be_read_is_a_failure(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.endpoint(receiver.url, secret=b"not sealed by this database")
    await hooks.ticket()
    await hooks.feed()
    deliverer = hooks.deliverer(retries_s=())
    assert [await deliverer.deliver_due() for _ in range(2)] == [1, 0]
    (attempt,) = await hooks.sql.fetch("SELECT status, error FROM webhook_attempts")
    assert (attempt["status"], attempt["error"]) == (None, "internal error: InvalidTag")
    assert (await hooks.states(endpoint), receiver.deliveries) == (["dead"], [])
    assert (await hooks.one("webhook_endpoints", endpoint))["failures"] == 1


async def test_a_fault_of_the_sender_is_a_failure(
    hooks: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(hooks.sender, "send", fail)
    endpoint = await hooks.endpoint(receiver.url)
    await hooks.ticket()
    await hooks.feed()
    await hooks.deliverer(retries_s=()).deliver_due()
    assert await hooks.states(endpoint) == ["dead"]


async def test_claims_without_outcomes_do_not_exceed_their_column(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    await hooks.ticket()
    await hooks.feed()
    await hooks.sql.execute("UPDATE webhook_deliveries SET attempts = 32767")
    assert await hooks.deliverer().deliver_due() == 1
    assert await hooks.states(endpoint) == ["done"]
