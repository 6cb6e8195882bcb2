"""Admins change webhooks: their settings, their state, and their secret."""

import asyncio

import httpx2
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from directory.conftest import problem
from webhooks.conftest import Hooks, created
from webhooks.receiver import Delivery, Receiver, Reply


@pytest.mark.usefixtures("hooks")
async def test_a_patch_makes_a_version_only_if_something_differs(admin: httpx2.AsyncClient) -> None:
    webhook = await created(admin)
    path = f"/webhooks/{webhook['id']}"
    changed = await admin.patch(path, json={"tags": ["vip"], "detail": "full"}, headers={"If-Match": '"1"'})
    assert (changed.json()["tags"], changed.json()["detail"], changed.headers["ETag"]) == (["vip"], "full", '"2"')
    assert (await admin.patch(path, json={"tags": ["vip"]})).headers["ETag"] == '"2"'
    late = await admin.patch(path, json={"tags": []}, headers={"If-Match": '"1"'})
    assert problem(late) == (412, "version-mismatch")


async def test_a_paused_webhook_goes_on_where_it_stopped(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver
) -> None:
    webhook = await created(admin, url=receiver.url)
    path = f"/webhooks/{webhook['id']}"
    assert (await admin.patch(path, json={"state": "paused"})).json()["state"] == "paused"
    tickets = [await hooks.ticket() for _ in range(2)]
    await hooks.feed()
    assert await hooks.deliverer().deliver_due() == 0
    await admin.patch(path, json={"state": "on"})
    await hooks.feed()
    await hooks.deliverer().deliver_due()
    assert sorted(receiver.ids) == sorted(f"evt_{ticket['id']}_1" for ticket in tickets)


async def test_a_webhook_that_was_switched_off_starts_without_its_failures(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver
) -> None:
    webhook = await created(admin, url=receiver.url)
    path = f"/webhooks/{webhook['id']}"
    await hooks.ticket()
    await hooks.feed()
    receiver.behaviour = lambda _: Reply(410)
    await hooks.deliverer().deliver_due()
    off = (await admin.get(path)).json()
    assert (off["state"], off["state_reason"], off["pending"], off["version"]) == ("off", "gone", 1, 2)
    assert off["failing_since"] is not None
    assert (await admin.patch(path, json={"tags": []})).json()["state_reason"] == "gone"
    on = (await admin.patch(path, json={"state": "on"})).json()
    assert (on["state"], on["state_reason"], on["failing_since"], on["paused_until"]) == ("on", None, None, None)


async def test_switching_on_ends_a_pause_because_of_failures(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver
) -> None:
    webhook = await created(admin, url=receiver.url)
    path = f"/webhooks/{webhook['id']}"
    await hooks.ticket()
    await hooks.feed()
    receiver.behaviour = lambda _: Reply(500)
    await hooks.deliverer(pause_after=1, jitter=0).deliver_due()
    assert (await admin.get(path)).json()["paused_until"] is not None
    resumed = (await admin.patch(path, json={"state": "on"})).json()
    assert (resumed["paused_until"], resumed["failing_since"], resumed["version"]) == (None, None, 1)
    await hooks.pass_time(6)
    assert await hooks.deliverer().deliver_due() == 1


@pytest.mark.parametrize(("status", "state"), [(204, "done"), (500, "skipped")])
async def test_a_request_in_progress_is_not_sent_again_after_the_backlog_was_skipped(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver, status: int, state: str
) -> None:
    webhook = await created(admin, url=receiver.url)
    await hooks.ticket()
    await hooks.feed()
    go_on = asyncio.Event()

    async def wait(_: Delivery) -> Reply:
        await go_on.wait()
        return Reply(status)

    receiver.behaviour = wait
    delivering = asyncio.create_task(hooks.deliverer().deliver_due())
    await receiver.wait_for(1)
    await admin.patch(f"/webhooks/{webhook['id']}", json={"skip_backlog": True})
    go_on.set()
    await delivering
    assert await hooks.states(webhook["id"]) == [state]
    assert await hooks.sql.fetchval("SELECT status FROM webhook_attempts") == status
    await hooks.pass_time(41)
    assert await hooks.deliverer().deliver_due() == 0


async def test_the_backlog_can_be_skipped(admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver) -> None:
    webhook = await created(admin, url=receiver.url)
    path = f"/webhooks/{webhook['id']}"
    await hooks.ticket()
    await hooks.feed()
    await hooks.ticket()
    await hooks.publish()
    await admin.patch(path, json={"skip_backlog": True})
    ticket = await hooks.ticket()
    await hooks.feed()
    await hooks.deliverer().deliver_due()
    assert receiver.ids == [f"evt_{ticket['id']}_1"]
    listed = (await admin.get(f"{path}/deliveries?state=skipped")).json()["items"]
    assert len(listed) == 1


async def test_both_secrets_sign_for_a_day_after_a_rotation(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver
) -> None:
    webhook = await created(admin, url=receiver.url)
    rotated = (await admin.post(f"/webhooks/{webhook['id']}/rotate-secret")).json()
    assert rotated["secret"] != webhook["secret"]
    assert rotated["old_secret_until"] is not None
    for _ in range(2):
        await hooks.ticket()
        await hooks.feed()
        await hooks.deliverer().deliver_due()
        await hooks.pass_time(86_401)
    first, second = receiver.deliveries
    for secret in (webhook["secret"], rotated["secret"]):
        Webhook(secret).verify(first.body, first.headers)
    assert len(second.headers["webhook-signature"].split(" ")) == 1
    Webhook(rotated["secret"]).verify(second.body, second.headers)
    assert (await admin.get(f"/webhooks/{webhook['id']}")).json()["old_secret_until"] is None


async def test_a_second_rotation_within_the_day_keeps_the_secret_in_use(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver
) -> None:
    webhook = await created(admin, url=receiver.url)
    path = f"/webhooks/{webhook['id']}/rotate-secret"
    unused, new = [(await admin.post(path)).json()["secret"] for _ in range(2)]
    await hooks.ticket()
    await hooks.feed()
    await hooks.deliverer().deliver_due()
    (delivery,) = receiver.deliveries
    for secret in (webhook["secret"], new):
        Webhook(secret).verify(delivery.body, delivery.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(unused).verify(delivery.body, delivery.headers)
    await hooks.pass_time(86_401)
    assert (await admin.post(path)).json()["old_secret_until"] is not None
    await hooks.ticket()
    await hooks.feed()
    await hooks.deliverer().deliver_due()
    Webhook(new).verify(receiver.deliveries[1].body, receiver.deliveries[1].headers)


@pytest.mark.usefixtures("hooks")
async def test_a_rotation_that_is_sent_twice_with_if_match_rotates_once(admin: httpx2.AsyncClient) -> None:
    webhook = await created(admin)
    path = f"/webhooks/{webhook['id']}/rotate-secret"
    assert (await admin.post(path, headers={"If-Match": '"1"'})).headers["ETag"] == '"2"'
    assert problem(await admin.post(path, headers={"If-Match": '"1"'})) == (412, "version-mismatch")
