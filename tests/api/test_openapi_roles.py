"""The documented roles of each operation are those that the service admits."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from db.postgres.database import Database
from models import Role
from services.access.api_keys import ApiKeys
from support.factories import JSON, NewDatabase, a_comment, a_ticket, open_ticket, running, settings_for
from support.openapi_document import operations

ALICE = "alice@example.com"
CALLS: dict[str, tuple[str, str, JSON | None]] = {
    "create_ticket": ("POST", "/tickets", a_ticket(email=ALICE)),
    "list_tickets": ("GET", "/tickets", None),
    "get_ticket": ("GET", "/tickets/{id}", None),
    "change_ticket": ("PATCH", "/tickets/{id}", {"subject": "The printer is out"}),
    "list_history": ("GET", "/tickets/{id}/history", None),
    "create_comment": ("POST", "/tickets/{id}/comments", a_comment(email=ALICE)),
    "list_comments": ("GET", "/tickets/{id}/comments", None),
    "get_workflow": ("GET", "/workflow", None),
    "livez": ("GET", "/livez", None),
    "readyz": ("GET", "/readyz", None),
}


@dataclass(frozen=True)
class ProtectedService:
    """A service with an API key for each role, and a ticket of the requester."""

    document: JSON
    client: httpx2.AsyncClient
    credentials: dict[str, dict[str, str]]
    ticket_id: int


@pytest.fixture(scope="module")
async def service(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[ProtectedService]:
    async with migrated_database() as dsn:
        settings = settings_for(dsn, *redis_address, allow_anonymous=False)
        database = Database(dsn, pool_size=1)
        credentials = {}
        for role in Role:
            key, _ = await ApiKeys(database).create(role, role, ALICE if role is Role.REQUESTER else None)
            credentials[role.value] = {"Authorization": f"Bearer {key}"}
        await database.close()
        async with running(settings) as (app, client):
            client.headers.update(credentials["agent"])
            ticket = await open_ticket(client, email=ALICE)
            del client.headers["Authorization"]
            yield ProtectedService(app.openapi(), client, credentials, ticket["id"])


def test_every_operation_is_called_here(service: ProtectedService) -> None:
    assert CALLS.keys() == operations(service.document).keys()


@pytest.mark.parametrize("name", CALLS)
async def test_an_operation_admits_the_roles_that_it_documents(service: ProtectedService, name: str) -> None:
    method, path, body = CALLS[name]
    roles = operations(service.document)[name]["x-roles"]
    admitted = roles == ["anyone"]
    for role, headers in service.credentials.items():
        response = await service.client.request(method, path.format(id=service.ticket_id), json=body, headers=headers)
        assert response.is_success if admitted or role in roles else response.status_code == 403, (role, response.text)
    response = await service.client.request(method, path.format(id=service.ticket_id), json=body)
    assert response.is_success if admitted else response.status_code == 401, response.text
