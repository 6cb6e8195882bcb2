"""Pages of the feed: order, cursors, filters, long polls, visibility."""

import asyncio
import time

import asyncpg
import pytest

from feed.conftest import ALICE, BOB, Feed, read, walk
from models import EventKind
from schemas.event_data import EventData


async def test_every_change_is_one_event_in_order(feed: Feed) -> None:
    after = await feed.now()
    path = await feed.opened(priority="high")
    await feed.admin.post(f"{path}/comments", json={"email": BOB, "text": "hello", "status": "answered"})
    await feed.admin.put(f"{path}/tags/printer")
    await feed.admin.post(f"{path}/take")
    await feed.admin.patch(path, json={"subject": "other"})
    await feed.admin.patch(path, json={"status": "closed", "priority": "low"})
    await asyncio.sleep(0.1)
    for limit in (1, 2, 500):
        events = await walk(feed.admin, f"limit={limit}", after)
        assert [event["type"] for event in events] == [
            "ticket.created",
            "ticket.commented",
            "ticket.tagged",
            "ticket.assigned",
            "ticket.changed",
            "ticket.transitioned",
        ]
    assert [event["ticketversion"] for event in events] == [1, 2, 3, 4, 5, 6]
    assert [event["sequence"] for event in events] == sorted(event["sequence"] for event in events)
    assert len({event["id"] for event in events}) == 6
    assert set(events[-1]["data"]) == {"status", "priority", "auto_close_at"}
    assert all(set(event["data"]) <= set(EventData.model_fields) for event in events)


async def test_a_page_always_has_a_cursor(feed: Feed) -> None:
    after = await feed.now()
    page = await read(feed.admin, f"after={after}")
    assert (page["items"], page["has_more"]) == ([], False)
    again = await read(feed.admin, f"after={page['next_cursor']}")
    assert again["items"] == []
    assert (await read(feed.admin, "after=now"))["items"] == []


async def test_a_long_poll_ends_with_the_next_event(feed: Feed) -> None:
    after = await feed.now()
    began_at = time.monotonic()
    polling = asyncio.create_task(read(feed.admin, f"after={after}&wait=20"))
    await asyncio.sleep(0.3)
    assert not polling.done()
    path = await feed.opened()
    page = await polling
    assert [event["subject"] for event in page["items"]] == [path.rpartition("/")[2]]
    assert time.monotonic() - began_at < 15


async def test_a_long_poll_without_events_ends(feed: Feed) -> None:
    after = await feed.now()
    page = await read(feed.admin, f"after={after}&wait=1")
    assert (page["items"], page["has_more"]) == ([], False)


async def test_filters_hide_events_and_the_cursor_moves_on(feed: Feed) -> None:
    after = await feed.now()
    paths = [await feed.opened() for _ in range(5)]
    await feed.admin.put(f"{paths[2]}/tags/red")
    await asyncio.sleep(0.1)
    (tagged,) = await walk(feed.admin, "types=ticket.tagged&limit=1", after)
    assert tagged["subject"] == paths[2].rpartition("/")[2]
    ticket = paths[2].rpartition("/")[2]
    for events in (
        await walk(feed.admin, f"ticket={ticket}&limit=1", after),
        await walk(feed.admin, "limit=1", after, f"{paths[2]}/events"),
    ):
        assert [event["type"] for event in events] == ["ticket.created", "ticket.tagged"]
    page = await read(feed.admin, f"types=ticket.merged&after={after}")
    assert (page["items"], page["has_more"]) == ([], False)
    assert (await read(feed.admin, f"after={page['next_cursor']}"))["items"] == []


async def test_a_requester_gets_the_public_events_of_their_tickets(feed: Feed) -> None:
    after = await feed.now()
    own, other = await feed.opened(email=ALICE), await feed.opened(email=BOB)
    await feed.admin.post(f"{own}/comments", json={"email": BOB, "text": "secret", "visibility": "internal"})
    await feed.admin.put(f"{own}/tags/red")
    await feed.admin.patch(own, json={"subject": "new", "tags": []})
    await feed.admin.put(f"{other}/participants/{ALICE}")
    await feed.admin.post(f"{other}/comments", json={"email": BOB, "text": "public"})
    await asyncio.sleep(0.1)
    events = await walk(feed.alice, "limit=100", after)
    ids = [path.rpartition("/")[2] for path in (own, other)]
    assert [event["id"] for event in events] == [
        *(f"{ids[0]}.1", f"{ids[1]}.1", f"{ids[0]}.4", f"{ids[1]}.2", f"{ids[1]}.3"),
    ]
    assert events[2]["data"] == {"subject": {"from": "The printer is on fire", "to": "new"}}
    assert (await feed.alice.get(f"/events?ticket={ids[0]}")).status_code == 200
    hidden = await feed.opened(email=BOB)
    assert (await feed.alice.get(f"{hidden}/events")).status_code == 404
    assert await walk(feed.alice, "limit=1", after) == events


async def test_a_cursor_that_cannot_be_continued_is_refused_with_the_first_one(feed: Feed) -> None:
    cursor = await feed.now()
    sql = await asyncpg.connect(feed.process.environment["DATABASE_DSN"].replace("+asyncpg", ""))
    epoch = await sql.fetchval("SELECT epoch FROM event_publisher")
    await sql.execute("UPDATE event_publisher SET epoch = gen_random_uuid()")
    try:
        gone = await feed.admin.get(f"/events?after={cursor}")
        assert (gone.status_code, gone.json()["type"]) == (410, "/problems/events-gone")
        assert (await walk(feed.admin, "limit=500", gone.json()["first_cursor"]))[0]["sequence"].endswith("01")
    finally:
        await sql.execute("UPDATE event_publisher SET epoch = $1", epoch)
        await sql.close()


@pytest.mark.parametrize(
    "query", ["after=x", "limit=0", "limit=501", "wait=26", "types=ticket.gone", "ticket=0", "sort=id"]
)
async def test_an_invalid_query_is_refused(feed: Feed, query: str) -> None:
    assert (await feed.admin.get(f"/events?{query}")).status_code == 422


async def test_the_catalogue_has_every_type_with_a_valid_example(feed: Feed) -> None:
    catalogue = (await feed.alice.get("/events/types")).json()["items"]
    assert [each["type"] for each in catalogue] == list(EventKind)
    for each in catalogue:
        assert each["example"]["type"] == each["type"]
        assert set(each["example"]["data"]) <= set(each["data_schema"]["properties"])
