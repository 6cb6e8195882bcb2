"""Clients that write and read continuously and record the acknowledged writes."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import httpx2

from support.factories import JSON, a_comment, a_ticket

PAUSE_S = 0.02


@dataclass(frozen=True)
class Acknowledged:
    """A write that the service confirmed to the client."""

    ticket_id: int
    version: int
    token: str


@dataclass
class Load:
    """The results of the clients. A response with another status than the expected one is a failure, as is none."""

    client: httpx2.AsyncClient
    acknowledged: list[Acknowledged] = field(default_factory=list)
    responses: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    latest_success_at: float = 0
    longest_s: float = 0

    async def run(self) -> None:
        """Create a ticket, read it, comment on it and edit it, repeatedly, until cancelled.

        A request that was not acknowledged is sent again unchanged, with its idempotency key.
        """
        while True:
            token = secrets.token_hex(8)
            ticket = await self._until_done("POST", "/tickets", a_ticket(subject=token), token, 201)
            self.acknowledged.append(Acknowledged(ticket["id"], 1, token))
            path = f"/tickets/{ticket['id']}"
            await self._until_done("GET", path, None, None, 200)
            token = secrets.token_hex(8)
            await self._until_done("POST", f"{path}/comments", a_comment(text=token), token, 201)
            self.acknowledged.append(Acknowledged(ticket["id"], 2, token))
            token = secrets.token_hex(8)
            # If the lost attempt was committed, its repetition changes nothing and returns the same version.
            changed = await self._until_done("PATCH", path, {"subject": token}, None, 200)
            self.acknowledged.append(Acknowledged(ticket["id"], changed["version"], token))

    async def success(self, timeout_s: float) -> float:
        """Return the seconds until a request succeeds that is sent from now on."""
        began_at = time.monotonic()
        async with asyncio.timeout(timeout_s):
            while self.latest_success_at <= began_at:
                await asyncio.sleep(0.01)
        return time.monotonic() - began_at

    async def _until_done(self, method: str, path: str, body: JSON | None, key: str | None, expected: int) -> JSON:
        headers = {"Idempotency-Key": key} if key else {}
        while True:
            await asyncio.sleep(PAUSE_S)
            began_at = time.monotonic()
            try:
                response = await self.client.request(method, path, json=body, headers=headers)
            except httpx2.TransportError as error:
                self.failures.append(f"{method} {path}: {error!r}")
                continue
            finally:
                self.longest_s = max(self.longest_s, time.monotonic() - began_at)
            self.responses[f"{method} {response.status_code}"] += 1
            if response.status_code == expected:
                self.latest_success_at = began_at
                done: JSON = response.json()
                return done
            self.failures.append(f"{method} {path}: {response.status_code} {response.text}")
            if response.status_code == 503:
                assert response.headers["Retry-After"]


@asynccontextmanager
async def under_load(url: str, *, clients: int = 8) -> AsyncIterator[Load]:
    """Run clients against a service during the block."""
    limits = httpx2.Limits(max_connections=clients * 2)
    async with httpx2.AsyncClient(base_url=url, timeout=20, limits=limits) as client:
        load = Load(client)
        running = [asyncio.create_task(load.run()) for _ in range(clients)]
        try:
            await load.success(timeout_s=10)
            yield load
        finally:
            for each in running:
                each.cancel()
            ends = await asyncio.gather(*running, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


async def lost(dsn: str, load: Load) -> list[Acknowledged]:
    """Return the acknowledged writes that the database does not have."""
    connection = await asyncpg.connect(dsn)
    try:
        events = await connection.fetch("""
            SELECT events.ticket_id, version, COALESCE(text, data #>> '{subject,to}') AS token
            FROM ticket_events AS events LEFT JOIN comments ON comments.id = (data ->> 'comment_id')::bigint
        """)
        duplicates = await connection.fetch("SELECT subject FROM tickets GROUP BY subject HAVING count(*) > 1")
    finally:
        await connection.close()
    assert not duplicates
    stored = {(event["ticket_id"], event["version"]): event["token"] for event in events}
    return [
        write
        for write in load.acknowledged
        if (write.ticket_id, write.version) not in stored
        or (write.version > 1 and stored[write.ticket_id, write.version] != write.token)
    ]
