"""A service in a process of its own, with an admin, an agent, and requesters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from db.postgres.database import Database
from models import Role
from services.access.api_keys import ApiKeys
from support.factories import JSON, NewDatabase, a_ticket, settings_for
from support.service_process import ServiceProcess

ALICE, BOB = "alice@example.com", "bob@example.com"
MAX_STREAMS = 5


@dataclass(frozen=True)
class Feed:
    """The service, and clients of it."""

    process: ServiceProcess
    admin: httpx2.AsyncClient
    alice: httpx2.AsyncClient
    bob: httpx2.AsyncClient

    async def opened(self, **fields: object) -> str:
        """Create a ticket and return its path."""
        created = await self.admin.post("/tickets", json=a_ticket(**fields))
        assert created.status_code == 201, created.text
        return f"/tickets/{created.json()['id']}"

    async def now(self) -> str:
        """Return the cursor of the end of the log, after everything that was committed so far."""
        marker = (await self.opened()).rpartition("/")[2]
        cursor = "start"
        while True:
            page = await read(self.admin, f"after={cursor}&limit=500&wait=5")
            cursor = str(page["next_cursor"])
            if any(event["subject"] == marker for event in page["items"]):
                return cursor


async def read(client: httpx2.AsyncClient, query: str, path: str = "/events") -> JSON:
    """Return a page of the feed."""
    response = await client.get(f"{path}?{query}")
    assert response.status_code == 200, response.text
    page: JSON = response.json()
    return page


async def walk(client: httpx2.AsyncClient, query: str, after: str, path: str = "/events") -> list[JSON]:
    """Return all events after a cursor."""
    events: list[JSON] = []
    while True:
        page = await read(client, f"{query}&after={after}", path)
        events += page["items"]
        after = page["next_cursor"]
        if not page["has_more"]:
            return events


@asynccontextmanager
async def serving_feed(
    migrated_database: NewDatabase, redis_address: tuple[str, int], log: Path, **environment: str
) -> AsyncIterator[Feed]:
    """Serve a database of its own, with these variables of the environment."""
    async with migrated_database() as dsn:
        database = Database(dsn, pool_size=1)
        headers = []
        for name, role, email in (
            ("admin", Role.ADMIN, None),
            ("alice", Role.REQUESTER, ALICE),
            ("bob", Role.REQUESTER, BOB),
        ):
            key, _ = await ApiKeys(database).create(name, role, email)
            headers.append({"Authorization": f"Bearer {key}"})
        await database.close()
        settings = settings_for(dsn, *redis_address, allow_anonymous=False)
        async with ServiceProcess(log, settings, MAX_STREAMS=str(MAX_STREAMS), **environment) as process:
            clients = [httpx2.AsyncClient(base_url=process.url, headers=each, timeout=30) for each in headers]
            yield Feed(process, *clients)
            for client in clients:
                await client.aclose()


@pytest.fixture(scope="module")
async def feed(
    migrated_database: NewDatabase, redis_address: tuple[str, int], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Feed]:
    async with serving_feed(migrated_database, redis_address, tmp_path_factory.mktemp("feed") / "log") as serving:
        yield serving
