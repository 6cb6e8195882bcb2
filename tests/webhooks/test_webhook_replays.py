"""Admins let events be sent again, one or those of a range, without any delay of new events."""

import secrets

import httpx2
import pytest

from directory.conftest import problem
from services.webhooks import feed_statements
from webhooks.conftest import Hooks, created, dead_deliveries
from webhooks.receiver import Receiver

ALL = {"from": "2026-01-01T00:00:00Z"}


async def test_a_dead_delivery_is_sent_again_with_the_same_id(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver
) -> None:
    webhook = await dead_deliveries(hooks, admin, receiver, 1)
    path = f"/webhooks/{webhook['id']}/deliveries"
    (dead,) = (await admin.get(f"{path}?state=dead")).json()["items"]
    response = await admin.post(f"{path}/{dead['id']}/replay")
    replayed = response.json()
    assert (response.status_code, replayed["reason"], replayed["message_id"]) == (202, "replay", dead["message_id"])
    again = (await admin.post(f"{path}/{replayed['id']}/replay")).json()
    assert again["id"] == replayed["id"]  # it is pending
    assert await hooks.deliverer().deliver_due() == 1
    assert receiver.ids == [dead["message_id"]]


async def test_repeated_deliveries_count_among_those_that_wait(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await dead_deliveries(hooks, admin, receiver, 2)
    path = f"/webhooks/{webhook['id']}/deliveries"
    first, second = (await admin.get(f"{path}?state=dead")).json()["items"]
    monkeypatch.setattr(feed_statements, "MAX_PENDING", 1)
    repeated = await admin.post(f"{path}/{first['id']}/replay")
    assert repeated.status_code == 202
    assert problem(await admin.post(f"{path}/{second['id']}/replay")) == (409, "too-many-deliveries")
    assert (await admin.post(f"{path}/{repeated.json()['id']}/replay")).status_code == 202  # it waits already


async def test_a_replay_of_the_dead_sends_each_again_once(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver
) -> None:
    webhook = await dead_deliveries(hooks, admin, receiver, 3)
    path = f"/webhooks/{webhook['id']}/replays"
    for expected in (3, 0):
        response = await admin.post(path, json={"from": "2026-01-01T00:00:00Z", "only_dead": True})
        assert (response.status_code, response.json()["state"]) == (202, "running")
        await hooks.feed()
        while await hooks.deliverer().deliver_due():
            pass
        replay = (await admin.get(response.headers["Location"])).json()
        assert (replay["state"], replay["done"], replay["pending"]) == ("done", expected, 0)
        assert replay["events_read"] == replay["events"]
    assert len(set(receiver.ids)) == len(receiver.ids) == 3


async def test_a_range_of_time_is_sent_again(admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver) -> None:
    webhook = await created(admin, url=receiver.url, types=["ticket.created"])
    times, tickets = [], []
    for _ in range(4):
        times.append((await hooks.sql.fetchval("SELECT clock_timestamp()")).isoformat())
        tickets.append(await hooks.ticket(changes=1))
        await hooks.publish()
    await admin.patch(f"/webhooks/{webhook['id']}", json={"skip_backlog": True})
    response = await admin.post(f"/webhooks/{webhook['id']}/replays", json={"from": times[1], "to": times[3]})
    await hooks.feed()
    while await hooks.deliverer().deliver_due():
        pass
    assert sorted(receiver.ids) == sorted(f"evt_{ticket['id']}_1" for ticket in tickets[1:3])
    replay = (await admin.get(response.headers["Location"])).json()
    assert (replay["events"], replay["done"], replay["state"]) == (4, 2, "done")


async def test_a_replay_begins_after_a_cursor_of_the_feed(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver
) -> None:
    webhook = await created(admin, url=receiver.url)
    await hooks.ticket()
    await hooks.publish()
    row = await hooks.sql.fetchrow("SELECT epoch, last_position FROM event_publisher")
    assert row is not None
    cursors = await hooks.cursors.get()
    cursor = cursors.seal("events", [str(row["epoch"]), row["last_position"]])
    other_epoch = cursors.seal("events", ["00000000-0000-0000-0000-000000000000", 1])
    ticket = await hooks.ticket()
    await hooks.publish()
    path = f"/webhooks/{webhook['id']}"
    await admin.patch(path, json={"skip_backlog": True})
    assert (await admin.post(f"{path}/replays", json={"after": cursor})).status_code == 202
    for wrong in (other_epoch, "x", secrets.token_hex(20)):
        assert problem(await admin.post(f"{path}/replays", json={"after": wrong})) == (422, "invalid-cursor")
    await hooks.feed()
    await hooks.deliverer().deliver_due()
    assert receiver.ids == [f"evt_{ticket['id']}_1"]


async def test_the_progress_of_a_large_replay_is_counted_up_to_a_bound(admin: httpx2.AsyncClient, hooks: Hooks) -> None:
    webhook = await created(admin)
    replay = (await admin.post(f"/webhooks/{webhook['id']}/replays", json=ALL)).json()
    assert (replay["done"], replay["more_than"]) == (0, None)
    await hooks.sql.execute(
        "INSERT INTO webhook_deliveries"
        " (endpoint_id, replay_id, position, ticket_id, version, reason, state, finished_at)"
        " SELECT $1, $2, n, n, 1, 'replay', CASE WHEN n <= 7 THEN 'pending' ELSE 'done' END,"
        " CASE WHEN n > 7 THEN now() END FROM generate_series(1, 10010) n",
        webhook["id"],
        replay["id"],
    )
    found = (await admin.get(f"/webhooks/{webhook['id']}/replays/{replay['id']}")).json()
    assert (found["pending"], found["done"], found["more_than"]) == (7, 10_001, 10_000)


async def test_new_events_are_sent_before_those_of_a_replay(
    admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver
) -> None:
    ticket = await hooks.ticket(changes=3)
    await hooks.publish()
    webhook = await created(admin, url=receiver.url, max_in_flight=1)
    await admin.post(f"/webhooks/{webhook['id']}/replays", json=ALL)
    await hooks.feed()
    await hooks.client.patch(f"/tickets/{ticket['id']}", json={"subject": "new"})
    other = await hooks.ticket()
    await hooks.feed()
    deliverer = hooks.deliverer()
    for _ in range(2):
        await deliverer.deliver_due()
    assert receiver.ids == [f"evt_{ticket['id']}_5", f"evt_{other['id']}_1"]


async def test_a_replay_leaves_room_for_new_events(
    admin: httpx2.AsyncClient, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_statements, "MAX_PENDING", 4)
    monkeypatch.setattr(feed_statements, "MAX_PENDING_FOR_REPLAY", 2, raising=False)
    webhook = await created(admin)
    for _ in range(4):
        await hooks.ticket()
    await hooks.publish()
    path = f"/webhooks/{webhook['id']}"
    await admin.patch(path, json={"skip_backlog": True})
    response = await admin.post(f"{path}/replays", json=ALL)
    await hooks.feed()
    ticket = await hooks.ticket()
    await hooks.feed()
    pending = (await admin.get(f"{path}/deliveries?state=pending")).json()["items"]
    assert [each["reason"] for each in pending] == ["event", "replay", "replay"]
    assert pending[0]["ticket_id"] == ticket["id"]
    assert (await admin.get(response.headers["Location"])).json()["state"] == "running"


async def test_skipping_the_backlog_ends_replays(admin: httpx2.AsyncClient, hooks: Hooks, receiver: Receiver) -> None:
    webhook = await created(admin, url=receiver.url)
    await hooks.ticket()
    await hooks.publish()
    path = f"/webhooks/{webhook['id']}"
    response = await admin.post(f"{path}/replays", json=ALL)
    await admin.patch(path, json={"skip_backlog": True})
    await hooks.feed()
    assert (await hooks.deliverer().deliver_due(), receiver.deliveries) == (0, [])
    replay = (await admin.get(response.headers["Location"])).json()
    assert (replay["state"], replay["events_read"]) == ("done", 0)
