"""A service that requires credentials, with rules that each test makes for itself."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from directory.conftest import Directory, directory
from support.factories import JSON, a_ticket

__all__ = ["directory"]


@dataclass(frozen=True)
class Ruled:
    """The service, and what tests do with it; an agent makes the requests."""

    directory: Directory

    @property
    def agent(self) -> httpx2.AsyncClient:
        return self.directory.agent

    @property
    def admin(self) -> httpx2.AsyncClient:
        return self.directory.admin

    async def rule(self, actions: JSON, *events: str, **fields: Any) -> JSON:
        """Create a rule, for new tickets if no other events are given."""
        return await self.directory.created("/rules", a_rule(actions, *events, **fields))

    async def group(self, *members: str) -> int:
        new = {"name": secrets.token_hex(6), "members": list(members)}
        group_id: int = (await self.directory.created("/groups", new))["id"]
        return group_id

    async def people(self, number: int) -> list[str]:
        return [(await self.directory.person())["id"] for _ in range(number)]

    async def ticket(self, **fields: Any) -> JSON:
        response = await self.agent.post("/tickets", json=a_ticket(**fields))
        assert response.status_code == 201, response.text
        ticket: JSON = response.json()
        return ticket

    async def change(self, ticket: JSON, **fields: Any) -> JSON:
        response = await self.agent.patch(f"/tickets/{ticket['id']}", json=fields)
        assert response.status_code == 200, response.text
        changed: JSON = response.json()
        return changed

    async def history(self, ticket: JSON, client: httpx2.AsyncClient | None = None) -> list[JSON]:
        response = await (client or self.agent).get(f"/tickets/{ticket['id']}/history?limit=100")
        events: list[JSON] = response.json()["items"]
        return events

    async def notes(self, ticket: JSON) -> list[JSON]:
        comments = (await self.agent.get(f"/tickets/{ticket['id']}/comments")).json()["items"]
        return [comment for comment in comments if comment["visibility"] == "internal"]


def a_rule(actions: JSON, *events: str, **fields: Any) -> JSON:
    """Return the body of a valid new rule."""
    return {"name": secrets.token_hex(6), "events": events or ["ticket.created"], "actions": actions} | fields


@pytest.fixture
async def ruled(directory: Directory) -> AsyncIterator[Ruled]:
    """The service without rules; those of the test are deleted at its end."""
    yield Ruled(directory)
    for rule in (await directory.admin.get("/rules")).json()["items"]:
        assert (await directory.admin.delete(f"/rules/{rule['id']}")).status_code == 200
