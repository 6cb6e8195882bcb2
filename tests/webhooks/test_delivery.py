"""Events reach the receiver: signed, filtered, in the order of their ticket."""

import asyncio
from collections.abc import Awaitable, Callable

from standardwebhooks import Webhook

from db.postgres.statements import Row
from services.webhooks.deliverer import Deliverer
from services.webhooks.schedule import Schedule
from services.webhooks.signature import secret_text
from webhooks.conftest import SECRET, Hooks
from webhooks.receiver import Delivery, Receiver, Reply, running_receiver


async def test_an_event_arrives_signed(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    ticket = await hooks.ticket()
    await hooks.feed()
    assert await hooks.deliverer().deliver_due() == 1
    (delivery,) = receiver.deliveries
    event = Webhook(secret_text(SECRET)).verify(delivery.body, delivery.headers)
    assert (event["type"], event["id"], event["subject"]) == ("ticket.created", f"{ticket['id']}.1", str(ticket["id"]))
    assert delivery.id == f"evt_{ticket['id']}_1"
    assert delivery.headers["content-type"] == "application/cloudevents+json"
    assert await hooks.states(endpoint) == ["done"]
    (attempt,) = await hooks.sql.fetch("SELECT * FROM webhook_attempts")
    assert (attempt["n"], attempt["status"], attempt["error"]) == (1, 204, None)


async def test_a_failed_delivery_is_sent_again_with_the_same_id_and_a_new_time(
    hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    ticket = await hooks.ticket()
    await hooks.feed()
    receiver.behaviour = lambda _: Reply(500, body=b"out of order")
    deliverer = hooks.deliverer(jitter=0)
    assert await deliverer.deliver_due() == 1
    assert await deliverer.deliver_due() == 0
    receiver.behaviour = lambda _: Reply(204)
    await hooks.pass_time(5)
    assert await deliverer.deliver_due() == 1
    assert receiver.ids == [f"evt_{ticket['id']}_1"] * 2
    assert await hooks.states(endpoint) == ["done"]
    attempts = await hooks.sql.fetch("SELECT n, status, response_head FROM webhook_attempts ORDER BY n")
    assert [tuple(attempt) for attempt in attempts] == [(1, 500, "out of order"), (2, 204, "")]


async def test_versions_of_a_ticket_arrive_in_order(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.endpoint(receiver.url)
    ticket = await hooks.ticket(changes=3)
    await hooks.feed()
    deliverer = hooks.deliverer()
    for _ in range(4):
        assert await deliverer.deliver_due() == 1
    assert receiver.ids == [f"evt_{ticket['id']}_{version}" for version in (1, 2, 3, 4)]


async def test_other_tickets_do_not_wait_for_a_failed_delivery(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.endpoint(receiver.url)
    first, other = await hooks.ticket(changes=1), await hooks.ticket()
    receiver.behaviour = lambda delivery: Reply(500 if delivery.event["subject"] == str(first["id"]) else 204)
    await hooks.feed()
    deliverer = hooks.deliverer()
    assert [await deliverer.deliver_due() for _ in range(3)] == [2, 0, 0]
    assert sorted(receiver.ids) == [f"evt_{first['id']}_1", f"evt_{other['id']}_1"]


async def test_after_five_minutes_later_versions_pass_a_failing_one(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.endpoint(receiver.url)
    ticket = await hooks.ticket(changes=1)
    receiver.behaviour = lambda delivery: Reply(500 if delivery.id.endswith("_1") else 204)
    await hooks.feed()
    deliverer = hooks.deliverer(jitter=0)
    for _ in range(2):  # the second attempt is followed by a pause of five minutes
        await deliverer.deliver_due()
        await hooks.pass_time(5)
    assert await deliverer.deliver_due() == 0
    await hooks.pass_time(291)
    assert await deliverer.deliver_due() == 1
    assert receiver.ids[2:] == [f"evt_{ticket['id']}_2"]


async def test_versions_that_have_waited_for_long_arrive_in_order(hooks: Hooks, receiver: Receiver) -> None:
    """A webhook was paused, or its backlog takes longer than five minutes: nothing has failed."""
    await hooks.endpoint(receiver.url)
    ticket = await hooks.ticket(changes=2)
    await hooks.feed()
    await hooks.pass_time(3600)
    deliverer = hooks.deliverer()
    assert [await deliverer.deliver_due() for _ in range(4)] == [1, 1, 1, 0]
    assert receiver.ids == [f"evt_{ticket['id']}_{version}" for version in (1, 2, 3)]


async def test_an_old_version_in_flight_holds_the_later_ones(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.endpoint(receiver.url)
    ticket = await hooks.ticket(changes=1)
    await hooks.feed()
    await hooks.pass_time(3600)
    receiver.behaviour = lambda _: Reply(delay_s=0.3)
    first = asyncio.create_task(hooks.deliverer().deliver_due())
    await receiver.wait_for(1)
    assert await hooks.deliverer().deliver_due() == 0
    assert await first == 1
    assert receiver.ids == [f"evt_{ticket['id']}_1"]


async def test_four_requests_at_most_are_in_flight(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.endpoint(receiver.url)
    for _ in range(12):
        await hooks.ticket()
    await hooks.feed()
    receiver.behaviour = lambda _: Reply(delay_s=0.02)
    deliverers = [hooks.deliverer() for _ in range(3)]
    while len(receiver.deliveries) < 12:
        await asyncio.gather(*(each.deliver_due() for each in deliverers))
    assert receiver.most_at_once == 4
    assert len(set(receiver.ids)) == len(receiver.ids) == 12


async def test_an_endpoint_can_ask_for_one_at_a_time(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.endpoint(receiver.url, max_in_flight=1)
    tickets = [await hooks.ticket() for _ in range(3)]
    await hooks.feed()
    deliverer = hooks.deliverer()
    assert [await deliverer.deliver_due() for _ in range(4)] == [1, 1, 1, 0]
    assert receiver.ids == [f"evt_{ticket['id']}_1" for ticket in tickets]


async def test_two_deliverers_send_each_event_once(hooks: Hooks, receiver: Receiver) -> None:
    for _ in range(3):
        await hooks.endpoint(receiver.url)
    tickets = [await hooks.ticket(changes=2) for _ in range(5)]
    await hooks.feed()
    deliverers = [hooks.deliverer() for _ in range(2)]
    while len(receiver.deliveries) < 45:
        await asyncio.gather(*(each.deliver_due() for each in deliverers))
    assert await hooks.sql.fetchval("SELECT count(*) FROM webhook_deliveries WHERE state = 'done'") == 45
    for ticket in tickets:
        assert sorted(receiver.ids.count(f"evt_{ticket['id']}_{version}") for version in (1, 2, 3)) == [3, 3, 3]


async def test_a_killed_deliverer_costs_a_duplicate_with_the_same_id(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    await hooks.ticket(changes=1)
    await hooks.feed()
    is_first = asyncio.Event()

    async def hang_once(_: Delivery) -> Reply:
        if not is_first.is_set():
            is_first.set()
            await asyncio.Event().wait()
        return Reply()

    receiver.behaviour = hang_once
    killed = asyncio.create_task(hooks.deliverer().deliver_due())
    await receiver.wait_for(1)
    killed.cancel()
    other = hooks.deliverer()
    assert await other.deliver_due() == 0
    await hooks.pass_time(41)
    assert [await other.deliver_due(), await other.deliver_due()] == [1, 1]
    assert receiver.ids[0] == receiver.ids[1]
    assert await hooks.states(endpoint) == ["done", "done"]


async def test_the_late_outcome_of_a_lost_claim_changes_nothing(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    await hooks.ticket()
    await hooks.feed()
    go_on = asyncio.Event()

    async def fail_late(_: Delivery) -> Reply:
        if len(receiver.deliveries) == 1:
            await go_on.wait()
            return Reply(500)
        return Reply(204)

    receiver.behaviour = fail_late
    late = asyncio.create_task(hooks.deliverer().deliver_due())
    await receiver.wait_for(1)
    await hooks.pass_time(41)
    assert await hooks.deliverer().deliver_due() == 1
    go_on.set()
    await late
    assert await hooks.states(endpoint) == ["done"]
    assert [row["n"] for row in await hooks.sql.fetch("SELECT n FROM webhook_attempts")] == [2]
    assert (await hooks.one("webhook_endpoints", endpoint))["failures"] == 0


class _SlowDeliverer(Deliverer):
    """Claims, and then lets `meanwhile` happen before it reads the events."""

    meanwhile: Callable[[], Awaitable[object]]

    async def _claim(self) -> list[Row]:
        claimed = await super()._claim()
        await self.meanwhile()
        return claimed


async def test_a_delivery_that_is_removed_after_its_claim_does_not_stop_the_others(
    hooks: Hooks, receiver: Receiver
) -> None:
    removed, kept = await hooks.endpoint(receiver.url), await hooks.endpoint(receiver.url)
    await hooks.ticket()
    await hooks.feed()
    deliverer = _SlowDeliverer(hooks.database, hooks.sender, hooks.box, max_in_flight=4)
    deliverer.meanwhile = lambda: hooks.sql.execute("DELETE FROM webhook_deliveries WHERE endpoint_id = $1", removed)
    assert await deliverer.deliver_due() == 1
    assert (await hooks.states(kept), len(receiver.deliveries)) == (["done"], 1)


async def test_one_hanging_endpoint_does_not_delay_the_others(hooks: Hooks, receiver: Receiver) -> None:
    async with running_receiver() as hanging:
        hanging.behaviour = lambda _: Reply(delay_s=60)
        await hooks.endpoint(hanging.url)
        for _ in range(5):
            await hooks.endpoint(receiver.url)
        for _ in range(10):
            await hooks.ticket()
        await hooks.feed()
        running = asyncio.create_task(hooks.deliverer(grace_s=0).run())
        await receiver.wait_for(50)
        assert len(hanging.deliveries) == 4
        running.cancel()
        await asyncio.wait([running])


async def test_requests_that_hang_do_not_occupy_all_slots(hooks: Hooks, receiver: Receiver) -> None:
    async with running_receiver() as hanging:
        hanging.behaviour = lambda _: Reply(delay_s=60)
        await hooks.endpoint(hanging.url)
        for _ in range(4):
            await hooks.ticket()
        await hooks.feed()
        deliverer = Deliverer(
            hooks.database, hooks.sender, hooks.box, max_in_flight=4, schedule=Schedule(grace_s=0, timeout_s=60)
        )
        running = asyncio.create_task(deliverer.run())
        await hanging.wait_for(4)
        await hooks.endpoint(receiver.url)
        await hooks.ticket()
        await hooks.feed()
        await receiver.wait_for(1)
        running.cancel()
        await asyncio.wait([running])
