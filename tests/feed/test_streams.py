"""Streams of events: frames, resuming, access, limits, and the end of the process."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2

from feed.conftest import ALICE, BOB, MAX_STREAMS, Feed
from support.factories import JSON

STREAM = {"Accept": "text/event-stream"}


class Frames:
    """The frames of a stream, read one by one."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.lines = response.aiter_lines()

    async def frame(self) -> dict[str, str]:
        """Return the next frame, without comments. Raises StopAsyncIteration at the end of the stream."""
        fields: dict[str, str] = {}
        while True:
            line = await anext(self.lines)
            if not line and fields:
                return fields
            name, _, value = line.partition(": ")
            if name and not line.startswith(":"):
                fields[name] = value

    async def event(self) -> tuple[str, JSON]:
        """Return the cursor and the content of the next event."""
        while True:
            async with asyncio.timeout(10):
                frame = await self.frame()
            if "data" in frame:
                return frame["id"], json.loads(frame["data"])


@asynccontextmanager
async def streaming(client: httpx2.AsyncClient, path: str, **headers: str) -> AsyncIterator[Frames]:
    """Open a stream."""
    async with client.stream("GET", path, headers=STREAM | headers) as response:
        yield Frames(response)


async def test_a_stream_sends_events_as_they_happen(feed: Feed) -> None:
    async with streaming(feed.admin, "/events?after=now") as frames:
        assert frames.response.headers["Content-Type"].startswith("text/event-stream")
        assert 2000 <= int((await frames.frame())["retry"]) <= 5000
        for _ in range(3):
            path = await feed.opened()
            cursor, event = await frames.event()
            assert (event["type"], event["subject"]) == ("ticket.created", path.rpartition("/")[2])
    # The stream is gone; it continues where it ended.
    missed = [await feed.opened() for _ in range(2)]
    async with streaming(feed.admin, "/events?after=start", **{"Last-Event-ID": cursor}) as frames:
        events = [(await frames.event())[1] for _ in missed]
    assert [event["subject"] for event in events] == [path.rpartition("/")[2] for path in missed]


async def test_a_stream_that_breaks_before_its_first_event_loses_nothing(feed: Feed) -> None:
    async with streaming(feed.admin, "/events?after=now") as frames:
        cursor = (await frames.frame())["id"]
    missed = await feed.opened()
    async with streaming(feed.admin, "/events?after=now", **{"Last-Event-ID": cursor}) as frames:
        assert (await frames.event())[1]["subject"] == missed.rpartition("/")[2]


async def test_a_stream_from_the_start_sends_the_whole_log(feed: Feed) -> None:
    last = await feed.opened()
    async with streaming(feed.admin, "/events") as frames:
        sequences = []
        while True:
            _, event = await frames.event()
            sequences.append(int(event["sequence"]))
            if event["subject"] == last.rpartition("/")[2]:
                break
    assert sequences == list(range(1, sequences[-1] + 1))


async def test_a_stream_of_a_requester_has_their_public_events_only(feed: Feed) -> None:
    async with streaming(feed.alice, "/events?after=now") as frames:
        await frames.frame()
        await feed.opened(email=BOB)
        own = await feed.opened(email=ALICE)
        await feed.admin.put(f"{own}/tags/red")
        await feed.admin.post(f"{own}/comments", json={"email": ALICE, "text": "a note", "visibility": "internal"})
        await feed.admin.patch(own, json={"subject": "x"})
        got = [(await frames.event())[1] for _ in range(2)]
    assert [event["id"].partition(".")[2] for event in got] == ["1", "4"]
    assert {event["subject"] for event in got} == {own.rpartition("/")[2]}


async def test_a_stream_of_a_ticket_and_of_types(feed: Feed) -> None:
    path = await feed.opened()
    after = await feed.now()
    async with (
        streaming(feed.admin, f"{path}/events?after={after}") as of_ticket,
        streaming(feed.admin, "/events?after=now&types=ticket.tagged") as of_type,
    ):
        await of_ticket.frame()
        await of_type.frame()
        await feed.opened()
        await feed.admin.patch(path, json={"subject": "x"})
        await feed.admin.put(f"{path}/tags/red")
        assert (await of_ticket.event())[1]["type"] == "ticket.changed"
        assert (await of_ticket.event())[1]["type"] == "ticket.tagged"
        assert (await of_type.event())[1]["type"] == "ticket.tagged"


async def test_more_streams_than_the_maximum_are_refused(feed: Feed) -> None:
    async with AsyncExitStack() as stack:
        # Kept: a stream whose lines are not referred to any more is closed.
        opened = [
            await stack.enter_async_context(streaming(feed.admin, "/events?after=now")) for _ in range(MAX_STREAMS)
        ]
        for frames in opened:
            await frames.frame()
        refused = await feed.admin.get("/events?after=now", headers=STREAM)
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/too-many-streams")
        assert (await feed.admin.get("/events?after=now&wait=1")).status_code == 503
        assert (await feed.admin.get("/events?after=now")).status_code == 200
    # The slots of streams that have ended are free again.
    async with asyncio.timeout(10):
        while (await feed.admin.get("/events?after=now&wait=1")).status_code != 200:
            await asyncio.sleep(0.05)


async def test_a_stream_with_a_wrong_cursor_is_refused_with_a_status(feed: Feed) -> None:
    refused = await feed.admin.get("/events?after=x", headers=STREAM)
    assert refused.status_code == 422
    assert (await feed.alice.get("/tickets/999999999/events", headers=STREAM)).status_code == 404


async def test_a_revoked_key_ends_its_stream_within_ten_seconds(feed: Feed) -> None:
    key = (await feed.admin.post("/keys", json={"name": secrets.token_hex(6), "role": "agent"})).json()
    headers = {"Authorization": f"Bearer {key['secret']}"}
    async with streaming(feed.admin, "/events?after=now", **headers) as frames:
        await frames.frame()
        await feed.admin.delete(f"/keys/{key['id']}")
        async with asyncio.timeout(10):
            async for _ in frames.lines:
                pass


async def test_streams_end_when_the_process_stops(feed: Feed) -> None:
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(streaming(feed.admin, "/events?after=now")) for _ in range(3)]
        for frames in opened:
            await frames.frame()
        began_at = time.monotonic()
        await asyncio.to_thread(feed.process.stop)
        assert time.monotonic() - began_at < 10
        for frames in opened:
            async for line in frames.lines:
                assert "reset" not in line
    await asyncio.to_thread(feed.process.start)
