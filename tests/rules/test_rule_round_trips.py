"""What rules cost: the statements of a request whose rules do not apply, and of one whose rules do."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from asyncpg.connection import LoggedQuery

from core import logs
from db.postgres.database import Database
from models import Role
from rules.conftest import a_rule
from services.access.api_keys import ApiKeys
from support.factories import JSON, a_ticket, open_ticket, running, settings_for

# So that each node of the cluster is connected and has every script.
ON_EVERY_NODE = 12
OF_DRIVER = re.compile("typeinfo_tree|'jit'")
WITHOUT: JSON = {"words": ["no such word"]}
MATCHES: JSON = {"words": ["printer"]}


class Service:
    """A service with an admin's client, and the first words of the statements of its requests."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client
        self._statements: list[str] = []

    def record(self, query: LoggedQuery) -> None:
        # The driver reads the types of arrays once on each connection.
        if logs.request.get() is not None and not OF_DRIVER.search(query.query):
            self._statements.append(query.query.split(maxsplit=1)[0].rstrip(";"))

    async def statements(self, method: str, path: str, body: JSON) -> list[str]:
        await asyncio.sleep(0)  # the driver reports a statement after its response
        self._statements.clear()
        response = await self.client.request(method, path, json=body)
        await asyncio.sleep(0)
        assert response.is_success, response.text
        return list(self._statements)

    async def rule(self, match: JSON, actions: JSON, number: int = 1) -> None:
        for _ in range(number):
            new = a_rule(actions, "ticket.created", "ticket.changed", match=match)
            assert (await self.client.post("/rules", json=new)).status_code == 201


@pytest.fixture
async def service(own_database_dsn: str, redis_address: tuple[str, int]) -> AsyncIterator[Service]:
    async with running(settings_for(own_database_dsn, *redis_address)) as (app, client):
        database = Database(own_database_dsn, pool_size=1)
        key, _ = await ApiKeys(database).create("admin", Role.ADMIN)
        await database.close()
        client.headers["Authorization"] = f"Bearer {key}"
        service = Service(client)
        for _ in range(ON_EVERY_NODE):
            path = f"/tickets/{(await open_ticket(client))['id']}"
            for _ in range(2):
                await client.get(path)
                await client.patch(path, json={"subject": secrets.token_hex(4)})
        app.state.tickets._database.add_statement_listener(service.record)  # noqa: SLF001 - not observable otherwise
        yield service


async def test_rules_that_do_not_match_and_rules_that_set_fields_cost_no_statement(service: Service) -> None:
    await service.rule(WITHOUT, {"note": "x", "add_tags": ["x"]}, number=19)
    await service.rule(MATCHES, {"set": {"priority": "high"}})
    ticket = await open_ticket(service.client)
    assert ticket["priority"] == "high"
    assert await service.statements("POST", "/tickets", a_ticket()) == ["WITH"]
    path = f"/tickets/{ticket['id']}"
    assert await service.statements("PATCH", path, {"priority": "low"}) == ["SELECT", "WITH"]


async def test_a_note_takes_a_transaction(service: Service) -> None:
    await service.rule(MATCHES, {"note": "x"})
    ticket = await open_ticket(service.client)
    assert await service.statements("POST", "/tickets", a_ticket()) == ["BEGIN", "WITH", "WITH", "COMMIT"]
    unlocked, locked = ["SELECT"], ["BEGIN", "SELECT", "WITH", "WITH", "COMMIT"]
    path = f"/tickets/{ticket['id']}"
    assert await service.statements("PATCH", path, {"subject": "Printer"}) == [*unlocked, *locked]


async def test_an_assignment_takes_a_lock_and_a_choice(service: Service) -> None:
    group: dict[str, Any] = (await service.client.post("/groups", json={"name": "Network"})).json()
    await service.rule(MATCHES, {"assign": {"group_id": group["id"], "by": "round_robin"}})
    await open_ticket(service.client)
    expected = ["BEGIN", "SELECT", "WITH", "WITH", "COMMIT"]
    assert await service.statements("POST", "/tickets", a_ticket()) == expected
