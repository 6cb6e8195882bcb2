"""A webhook that is switched off is an event for agents: in pages, in streams and at other webhooks."""

import asyncio

import httpx2
import pytest

from models import EventKind
from schemas.cloud_events import StreamQuery
from services.access.principal import Principal
from services.events.access_watch import Access
from services.events.epochs import begin_epoch_if_restored
from support.api_calls import a_person
from support.event_readers import AGENT, reading
from support.factories import JSON
from webhooks.conftest import Hooks
from webhooks.receiver import Receiver, Reply

DISABLED = "webhook.disabled"


async def switched_off(hooks: Hooks, receiver: Receiver) -> int:
    """Let a receiver answer 410, and return the id of its webhook."""
    endpoint = await hooks.endpoint(receiver.url)
    await hooks.ticket()
    await hooks.feed()
    receiver.behaviour = lambda delivery: Reply(204 if delivery.path.endswith("/other") else 410)
    await hooks.deliverer().deliver_due()
    receiver.behaviour = lambda _: Reply(204)
    return endpoint


async def feed_after(client: httpx2.AsyncClient, cursor: str, query: str = "") -> list[JSON]:
    page = (await client.get(f"/events?after={cursor}{query}")).raise_for_status().json()
    items: list[JSON] = page["items"]
    return items


async def cursor_now(hooks: Hooks) -> str:
    await hooks.publish()
    cursor: str = (await hooks.client.get("/events?after=now")).json()["next_cursor"]
    return cursor


@pytest.mark.usefixtures("admin")
async def test_agents_get_the_event_in_the_feed(hooks: Hooks, receiver: Receiver) -> None:
    cursor = await cursor_now(hooks)
    endpoint = await switched_off(hooks, receiver)
    await hooks.publish()
    created, disabled = await feed_after(hooks.client, cursor)
    number = disabled.pop("id").removeprefix("0.")
    assert int(number) >= 1
    assert int(disabled.pop("sequence")) == int(created["sequence"]) + 1
    assert disabled.pop("time") > created["time"]
    assert disabled == {
        "specversion": "1.0",
        "source": "/webhooks",
        "type": DISABLED,
        "subject": str(endpoint),
        "datacontenttype": "application/json",
        "actor": "system:webhooks",
        "data": {"webhook_id": endpoint, "reason": "gone"},
    }
    assert [each["type"] for each in await feed_after(hooks.client, cursor, f"&types={DISABLED}")] == [DISABLED]


@pytest.mark.usefixtures("admin")
async def test_requesters_do_not_get_it(hooks: Hooks, receiver: Receiver) -> None:
    key = {"name": "requester of events", "role": "requester", "email": "stranger@example.com"}
    created = (await hooks.client.post("/keys", json=key)).raise_for_status().json()
    cursor = await cursor_now(hooks)
    await switched_off(hooks, receiver)
    await hooks.publish()
    headers = {"Authorization": f"Bearer {created['secret']}"}
    response = await hooks.client.get(f"/events?after={cursor}", headers=headers)
    assert response.raise_for_status().json()["items"] == []


@pytest.mark.usefixtures("admin")
async def test_a_stream_gets_it(hooks: Hooks, receiver: Receiver) -> None:
    async def check() -> Principal:
        return AGENT

    query = StreamQuery(after=await cursor_now(hooks), types=[EventKind.WEBHOOK_DISABLED])
    async with reading(hooks.database, hooks.publisher) as readers:
        stream = (await readers.streams.open(query, None, AGENT, Access("key", check))).chunks()
        await anext(stream)
        waiting = asyncio.create_task(anext(stream))
        endpoint = await switched_off(hooks, receiver)
        await hooks.publish()
        async with asyncio.timeout(10):
            assert f'"subject":"{endpoint}"' in (await waiting).decode()
        await stream.aclose()


async def test_other_webhooks_of_agents_get_it_unless_they_filter_tickets(hooks: Hooks, receiver: Receiver) -> None:
    values = a_person()
    requester = await hooks.sql.fetchval(
        "INSERT INTO principals (id, kind, name, email, role)"
        " VALUES ('person:' || nextval('person_numbers'), 'person', $1, $2, 'requester') RETURNING id",
        values["name"],
        values["email"],
    )
    other = f"{receiver.url}/other"
    interested = [await hooks.endpoint(other, types=types) for types in ([], [DISABLED])]
    others = [
        await hooks.endpoint(other, types=["ticket.created"]),
        await hooks.endpoint(other, types=[DISABLED], group_ids=[1]),
        await hooks.endpoint(other, types=[DISABLED], tags=["vip"]),
        await hooks.endpoint(other, types=[DISABLED], principal_id=requester),
    ]
    off = await switched_off(hooks, receiver)
    await hooks.feed()
    while await hooks.deliverer().deliver_due():
        pass
    count = "SELECT count(*) FROM webhook_deliveries WHERE endpoint_id = $1 AND ticket_id = 0 AND state = 'done'"
    assert [await hooks.sql.fetchval(count, each) for each in (*interested, *others)] == [1, 1, 0, 0, 0, 0]
    (event, _) = [each.event for each in receiver.deliveries if each.event["type"] == DISABLED]
    assert (event["subject"], event["data"]) == (str(off), {"webhook_id": off, "reason": "gone"})


@pytest.mark.usefixtures("admin")
async def test_its_delivery_names_no_ticket(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.endpoint(receiver.url, types=[DISABLED])
    await switched_off(hooks, receiver)
    await hooks.feed()
    (delivery,) = (await hooks.client.get(f"/webhooks/{endpoint}/deliveries")).json()["items"]
    assert (delivery["ticket_id"], delivery["message_id"]) == (None, f"evt_0_{delivery['version']}")


async def test_a_restored_database_publishes_it_once(hooks: Hooks, receiver: Receiver) -> None:
    await switched_off(hooks, receiver)
    await hooks.sql.execute("UPDATE event_publisher SET system_identifier = 1")
    await begin_epoch_if_restored(hooks.database)
    await hooks.ticket()
    await hooks.publish()
    total = await hooks.sql.fetchval("SELECT count(*) FROM event_log WHERE ticket_id = 0")
    assert total == await hooks.sql.fetchval("SELECT count(*) FROM system_events") > 0
