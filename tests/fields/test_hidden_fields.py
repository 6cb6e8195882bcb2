"""Fields that requesters do not see: what they require of a requester, and when hiding one takes effect."""

import secrets
from collections.abc import AsyncIterator

import asyncpg
import httpx2
import pytest

from core.settings import Settings
from directory.conftest import ALICE, Directory
from fields.conftest import a_field
from support.factories import JSON, a_comment, a_ticket, running, settings_for


@pytest.fixture
async def service(directory: Directory, directory_sql: asyncpg.Connection) -> AsyncIterator[Directory]:
    """A service whose fields are removed after the test."""
    yield directory
    await directory_sql.execute("DELETE FROM fields")
    await directory.admin.post("/fields", json=a_field("afresh"))  # so that this process forgets them too
    await directory_sql.execute("DELETE FROM fields")


async def with_field(service: Directory, **members: object) -> str:
    key = f"f{secrets.token_hex(6)}"
    await service.created("/fields", a_field(key, "text", **members))
    return key


async def opened_by(client: httpx2.AsyncClient, **members: object) -> JSON:
    response = await client.post("/tickets", json=a_ticket(email=ALICE, **members))
    assert response.status_code == 201, response.text
    ticket: JSON = response.json()
    return ticket


async def test_a_requester_creates_a_ticket_without_a_required_field_that_they_do_not_see(service: Directory) -> None:
    key = await with_field(service, required="create")
    assert (await opened_by(service.requester))["custom"] == {}
    refused = await service.agent.post("/tickets", json=a_ticket())
    assert [part["pointer"] for part in refused.json()["errors"]] == [f"#/custom/{key}"]


@pytest.mark.parametrize("by_comment", [False, True])
async def test_a_requester_closes_a_ticket_without_a_required_field_that_they_do_not_see(
    service: Directory, *, by_comment: bool
) -> None:
    ticket = await opened_by(service.requester)
    key = await with_field(service, required="close")
    path = f"/tickets/{ticket['id']}"

    async def close(client: httpx2.AsyncClient) -> httpx2.Response:
        if by_comment:
            return await client.post(f"{path}/comments", json=a_comment(email=ALICE, status="closed"))
        return await client.patch(path, json={"status": "closed"})

    refused = await close(service.agent)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/fields-required")
    assert [part["pointer"] for part in refused.json()["errors"]] == [f"#/custom/{key}"]
    closed = await close(service.requester)
    assert closed.is_success, closed.text
    assert key not in closed.text


async def test_a_requester_needs_the_required_fields_that_they_see(service: Directory) -> None:
    key = await with_field(service, required="create", visible_to_requester=True)
    refused = await service.requester.post("/tickets", json=a_ticket(email=ALICE))
    assert refused.json()["type"] == "/problems/fields-required"
    await opened_by(service.requester, custom={key: "x"})


@pytest.fixture
async def other_process(service: Directory, settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A second process of the service, used by the requester."""
    shared = settings_for(service.dsn, settings.redis_host or "", settings.redis_port, allow_anonymous=False)
    async with running(shared) as (_, client):
        client.headers["Authorization"] = service.requester.headers["Authorization"]
        yield client


async def test_a_field_that_is_hidden_is_hidden_in_the_writes_of_every_process(
    service: Directory, other_process: httpx2.AsyncClient
) -> None:
    key = await with_field(service, visible_to_requester=True)
    path = f"/tickets/{(await opened_by(service.agent, custom={key: 'secret'}))['id']}"
    for is_visible in (True, False):
        hidden = await service.admin.patch(f"/fields/{key}", json={"visible_to_requester": is_visible})
        assert hidden.status_code == 200
        changed = await other_process.patch(path, json={"subject": secrets.token_hex(4)})
        assert changed.status_code == 200
        assert ("secret" in changed.text) is is_visible
