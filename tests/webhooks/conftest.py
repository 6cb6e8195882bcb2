"""A service, and its webhooks, which a test runs step by step with the clock of the database moved by SQL."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import asyncpg
import httpx2
import pytest

from core.settings import Settings
from db.postgres.database import Database
from models import Role
from services.access.api_keys import ApiKeys
from services.cursors import StoredCursors
from services.events.publisher import EventPublisher
from services.secret_box import SecretBox
from services.tickets.commit_signal import CommitSignal
from services.webhooks.addresses import AddressPolicy
from services.webhooks.deliverer import Deliverer
from services.webhooks.feeder import Feeder
from services.webhooks.schedule import Schedule
from services.webhooks.sender import Sender
from support.factories import JSON, NewDatabase, open_ticket, running, settings_for
from webhooks.receiver import Receiver, Reply, running_receiver

LOOPBACK = AddressPolicy([ip_network("127.0.0.0/8")])
SECRET = b"s" * 32
IN_FLIGHT = 20
URL = "https://hooks.example.com/tickets"

DEFAULTS: JSON = {"types": [], "group_ids": [], "tags": [], "detail": "thin", "principal_id": "anonymous"}


@dataclass(frozen=True)
class Hooks:
    """The parts of the service, and a connection that bypasses it."""

    client: httpx2.AsyncClient
    database: Database
    box: SecretBox
    cursors: StoredCursors
    publisher: EventPublisher
    feeder: Feeder
    sender: Sender
    sql: asyncpg.Connection

    def deliverer(self, **schedule: Any) -> Deliverer:
        return Deliverer(self.database, self.sender, self.box, max_in_flight=IN_FLIGHT, schedule=Schedule(**schedule))

    async def endpoint(self, url: str, **values: Any) -> int:
        """Insert an endpoint whose cursor is at the end of the log, and return its id."""
        await self.publish()
        row = DEFAULTS | {"url": url, "secret": await self.box.seal(SECRET)} | values
        columns = ", ".join(row)
        places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        endpoint_id: int = await self.sql.fetchval(
            f"INSERT INTO webhook_endpoints ({columns}, cursor)"
            f" VALUES ({places}, (SELECT last_position FROM event_publisher)) RETURNING id",
            *row.values(),
        )
        return endpoint_id

    async def publish(self) -> None:
        while (await self.publisher.publish_round()).published:
            pass

    async def ticket(self, changes: int = 0, **fields: Any) -> JSON:
        """Create a ticket, and change its subject several times: `changes` further events."""
        ticket = await open_ticket(self.client, **fields)
        for _ in range(changes):
            changed = await self.client.patch(f"/tickets/{ticket['id']}", json={"subject": secrets.token_hex(4)})
            assert changed.status_code == 200
        return ticket

    async def feed(self) -> None:
        """Publish all events and create their deliveries."""
        await self.publish()
        while (await self.feeder.feed()).moved:
            pass

    async def pass_time(self, seconds: float) -> None:
        """Let the time of the deliveries and endpoints pass, as the service sees it."""
        for table, columns in (
            ("webhook_deliveries", ("next_at", "claimed_until", "created_at")),
            ("webhook_endpoints", ("failing_since", "not_before", "old_secret_until")),
        ):
            moved = ", ".join(f"{column} = {column} - make_interval(secs => $1)" for column in columns)
            await self.sql.execute(f"UPDATE {table} SET {moved}", float(seconds))

    async def one(self, table: str, row_id: int) -> asyncpg.Record:
        row = await self.sql.fetchrow(f"SELECT * FROM {table} WHERE id = $1", row_id)
        assert row is not None
        return row

    async def states(self, endpoint_id: int) -> list[str]:
        """Return the states of the deliveries of an endpoint, in the order of the log."""
        query = "SELECT state FROM webhook_deliveries WHERE endpoint_id = $1 ORDER BY position, id"
        return [row["state"] for row in await self.sql.fetch(query, endpoint_id)]


@pytest.fixture(scope="module")
async def hooks_settings(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[Settings]:
    async with migrated_database() as dsn:
        yield settings_for(dsn, *redis_address, work="off", webhook_allow="127.0.0.0/8")


@pytest.fixture(scope="module")
async def hooks_of_module(hooks_settings: Settings) -> AsyncIterator[Hooks]:
    assert hooks_settings.database_dsn is not None
    dsn = hooks_settings.database_dsn.get_secret_value()
    database = Database(dsn, pool_size=8)
    sender = Sender(LOOPBACK)
    sql = await asyncpg.connect(dsn.replace("+asyncpg", ""))
    async with running(hooks_settings) as (_, client):
        yield Hooks(
            client,
            database,
            SecretBox(database),
            StoredCursors(database),
            EventPublisher(database, CommitSignal()),
            Feeder(database),
            sender,
            sql,
        )
    await sender.close()
    await sql.close()
    await database.close()


@pytest.fixture
async def hooks(hooks_of_module: Hooks) -> AsyncIterator[Hooks]:
    """The parts, without any endpoint, and without an event that is not published."""
    await hooks_of_module.publish()
    yield hooks_of_module
    for table in ("webhook_attempts", "webhook_deliveries", "webhook_replays", "webhook_endpoints"):
        await hooks_of_module.sql.execute(f"DELETE FROM {table}")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
async def admin(hooks_of_module: Hooks) -> httpx2.AsyncClient:
    """A client of an admin."""
    key, _ = await ApiKeys(hooks_of_module.database).create("webhooks", Role.ADMIN)
    client = hooks_of_module.client
    client.headers["Authorization"] = f"Bearer {key}"
    return client


async def created(client: httpx2.AsyncClient, **fields: Any) -> JSON:
    response = await client.post("/webhooks", json={"url": URL} | fields)
    assert response.status_code == 201, response.text
    webhook: JSON = response.json()
    return webhook


async def dead_deliveries(hooks: Hooks, admin: httpx2.AsyncClient, receiver: Receiver, count: int) -> JSON:
    """Create a webhook whose deliveries are dead, with one that is done."""
    webhook = await created(admin, url=receiver.url)
    await hooks.ticket()
    await hooks.feed()
    await hooks.deliverer().deliver_due()
    for _ in range(count):
        await hooks.ticket()
    await hooks.feed()
    receiver.behaviour = lambda _: Reply(500)
    deliverer = hooks.deliverer(retries_s=(), pause_after=1000)
    while await deliverer.deliver_due():
        pass
    receiver.behaviour = lambda _: Reply(204)
    receiver.deliveries.clear()
    return webhook
