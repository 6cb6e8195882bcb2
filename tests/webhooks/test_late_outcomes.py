"""The outcome of a request that took long does not undo what happened meanwhile."""

import asyncio

import httpx2
import pytest

from webhooks.conftest import Hooks
from webhooks.receiver import Delivery, Receiver, Reply, running_receiver


class Late:
    """Lets the first request wait for its response until `go_on` is set; the others get theirs at once."""

    def __init__(self, first: Reply, others: Reply) -> None:
        self.go_on = asyncio.Event()
        self._first = first
        self._others = others
        self._count = 0

    async def __call__(self, _: Delivery) -> Reply:
        self._count += 1
        if self._count > 1:
            return self._others
        await self.go_on.wait()
        return self._first


async def test_a_late_success_does_not_end_a_pause(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    for _ in range(2):
        await hooks.ticket()
    await hooks.feed()
    receiver.behaviour = late = Late(Reply(204), Reply(429, {"Retry-After": "3600"}))
    delivering = asyncio.create_task(hooks.deliverer().deliver_due())
    await receiver.wait_for(2)
    async with asyncio.timeout(10):
        while not (await hooks.one("webhook_endpoints", endpoint))["not_before"]:
            await asyncio.sleep(0.01)
    late.go_on.set()
    await delivering
    row = await hooks.one("webhook_endpoints", endpoint)
    assert row["not_before"] is not None
    assert (row["failures"], row["failing_since"]) == (0, None)
    await hooks.pass_time(3500)
    assert await hooks.deliverer().deliver_due() == 0


@pytest.mark.parametrize("reply", [Reply(410), Reply(429, {"Retry-After": "3600"}), Reply(204)], ids=str)
async def test_the_outcome_at_an_old_address_says_nothing_about_the_new_one(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver, reply: Reply
) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    await hooks.ticket()
    await hooks.feed()
    receiver.behaviour = late = Late(reply, reply)
    delivering = asyncio.create_task(hooks.deliverer(jitter=0).deliver_due())
    await receiver.wait_for(1)
    async with running_receiver() as new:
        await admin.patch(f"/webhooks/{endpoint}", json={"url": new.url})
        await hooks.sql.execute("UPDATE webhook_endpoints SET failures = 2, failing_since = now()")
        before = await hooks.one("webhook_endpoints", endpoint)
        late.go_on.set()
        await delivering
        assert await hooks.one("webhook_endpoints", endpoint) == before
        await hooks.pass_time(6)
        assert await hooks.deliverer().deliver_due() == (0 if reply.status == 204 else 1)
        assert await hooks.states(endpoint) == ["done"]


@pytest.mark.parametrize(("status", "failures"), [(204, 1), (500, 0)])
async def test_an_outcome_locks_the_endpoint_before_the_delivery(
    hooks: Hooks, receiver: Receiver, status: int, failures: int
) -> None:
    """A claim, and a change that skips the backlog, lock in this order: the other one could end in a deadlock."""
    endpoint = await hooks.endpoint(receiver.url, failures=failures)
    await hooks.ticket()
    await hooks.feed()
    receiver.behaviour = late = Late(Reply(status), Reply())
    delivering = asyncio.create_task(hooks.deliverer().deliver_due())
    await receiver.wait_for(1)
    async with hooks.sql.transaction():
        await hooks.sql.execute("SET LOCAL lock_timeout = '500ms'")
        await hooks.sql.execute("SELECT FROM webhook_endpoints WHERE id = $1 FOR NO KEY UPDATE", endpoint)
        late.go_on.set()
        async with asyncio.timeout(10):
            while not await hooks.sql.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
        await hooks.sql.execute("SELECT FROM webhook_deliveries WHERE endpoint_id = $1 FOR UPDATE", endpoint)
    await delivering
    assert await hooks.states(endpoint) == ["done" if status == 204 else "pending"]
