"""Readers of the feed and of streams. They lose connections and continue elsewhere, until they are cancelled."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from typing import Final

import httpx2

from chaos.instances import Instance
from chaos.reading import Reading, Seen

_STREAM: Final = {"Accept": "text/event-stream"}
_MAX_LIFETIME_S: Final = 6.0
_UNAVAILABLE: Final = 503


class Interrupted(Exception):
    """Raised when a connection is lost or the service is unavailable; the reader continues after a pause."""


@dataclass
class Calm:
    """Whether the storm is over: from then on, readers and receivers cause no interruption themselves."""

    is_calm: bool = False


@dataclass
class EventReader:
    """A reader that continues after each interruption, from the last cursor that it has processed.

    Sometimes it has forgotten the last cursors, as a program that was killed before it had stored them.
    """

    reading: Reading
    headers: dict[str, str]
    instances: Sequence[Instance]
    dice: Random
    calm: Calm
    cursor: str = "start"
    stored: str = "start"
    connection: int = 0
    _failures: int = field(default=0)

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self.read(self.dice.choice(self.instances).client)
            except (Interrupted, TimeoutError, httpx2.TransportError) as reason:
                self.reading.counts[f"interrupted: {type(reason).__name__}"] += 1
                await asyncio.sleep(self.dice.uniform(0, 0.3))
            self.connection += 1
            if not self.calm.is_calm and self.dice.random() < 0.2:
                self.reading.counts["began again from an older cursor"] += 1
                self.cursor = self.stored

    async def read(self, client: httpx2.AsyncClient) -> None:
        """Read over one connection."""
        raise NotImplementedError

    def take(self, event: dict[str, object], cursor: str) -> None:
        """Remember an event and the cursor after it."""
        now = time.monotonic()
        self.reading.seen.append(Seen(event, self.connection, now, now))
        self.move(cursor)

    def move(self, cursor: str) -> None:
        """Remember a cursor, and store it now and then."""
        self.cursor = cursor
        if self.dice.random() < 0.05:
            self.stored = cursor

    def expect_success(self, status: int, text: str) -> None:
        """Raise Interrupted unless a response is a success, and record one that must not occur."""
        if status == 200:
            return
        if status != _UNAVAILABLE:
            self.reading.refusals.append(f"{status} {text[:200]}")
        raise Interrupted(str(status))


class PageReader(EventReader):
    """Follows the feed page by page, sometimes with long polls, some of which it abandons."""

    async def read(self, client: httpx2.AsyncClient) -> None:
        """Read pages until an interruption."""
        while True:
            query: dict[str, str | int] = {
                "after": self.cursor,
                "limit": self.dice.choice([1, 20, 100, 500]),
                "wait": self.dice.choice([0, 1, 5]),
            }
            if self.reading.ticket_id is not None:
                query["ticket"] = self.reading.ticket_id
            is_abandoned = not self.calm.is_calm and self.dice.random() < 0.03
            async with asyncio.timeout(self.dice.uniform(0, 0.1) if is_abandoned else None):
                response = await client.get("/events", params=query, headers=self.headers)
            self.expect_success(response.status_code, response.text)
            page = response.json()
            for event in page["items"]:
                self.take(event, self.cursor)
            self.move(page["next_cursor"])
            self.reading.counts["pages"] += 1
            if not page["has_more"]:
                await asyncio.sleep(self.dice.uniform(0, 0.2))


class StreamReader(EventReader):
    """Follows a stream, which it breaks after a random time, and resumes with Last-Event-ID."""

    async def read(self, client: httpx2.AsyncClient) -> None:
        """Read one stream until it breaks."""
        ticket_id = self.reading.ticket_id
        path = "/events" if ticket_id is None else f"/tickets/{ticket_id}/events"
        resumed = {} if self.cursor == "start" else {"Last-Event-ID": self.cursor}
        lifetime_s = self.dice.uniform(0, _MAX_LIFETIME_S)
        async with AsyncExitStack() as stack:
            breaking = await stack.enter_async_context(asyncio.timeout(None))
            if not self.calm.is_calm:
                breaking.reschedule(asyncio.get_running_loop().time() + lifetime_s)
            headers = self.headers | _STREAM | resumed
            response = await stack.enter_async_context(client.stream("GET", path, headers=headers))
            if response.status_code != 200:
                await response.aread()
                self.expect_success(response.status_code, response.text)
            self.reading.counts["streams"] += 1
            async for frame in _frames(response.aiter_lines()):
                self._take_frame(frame)
                if self.calm.is_calm:
                    breaking.reschedule(None)
                elif self.dice.random() < 0.01:
                    await asyncio.sleep(self.dice.uniform(0, 1))  # a slow reader

    def _take_frame(self, frame: dict[str, str]) -> None:
        if frame.get("event") == "reset":
            self.reading.refusals.append("a stream was reset")
        elif "data" in frame:
            event = json.loads(frame["data"])
            if event["type"] != frame["event"]:
                self.reading.refusals.append(f"a frame {frame['event']} has an event {event['type']}")
            self.take(event, frame["id"])
        elif "id" in frame:
            self.move(frame["id"])


async def _frames(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, str]]:
    """Yield the fields of each complete frame: what an interruption cut off is discarded."""
    fields: dict[str, str] = {}
    async for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            yield fields
            fields = {}
