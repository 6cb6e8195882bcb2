"""The documented roles and scopes of each operation are those that the service admits."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg
import httpx2
import pytest

from db.postgres.database import Database
from models import Role, Scope
from services.access.api_keys import ApiKeys
from support.api_calls import Call, calls
from support.factories import JSON, NewDatabase, open_ticket, running, settings_for
from support.openapi_document import operations

ALICE = "alice@example.com"


@dataclass(frozen=True)
class ProtectedService:
    """A service with an API key for each role and one of an admin for each scope, and a ticket of the requester.

    `prepared` has a call of each operation. It is made anew after a call that has changed something.
    """

    document: JSON
    client: httpx2.AsyncClient
    credentials: dict[str, dict[str, str]]
    restricted: dict[Scope, dict[str, str]]
    ticket_id: int
    dsn: str
    prepared: dict[str, Call] = field(default_factory=dict)

    async def call(self, name: str, headers: dict[str, str]) -> httpx2.Response:
        """Call an operation with valid parameters."""
        if not self.prepared:
            self.prepared.update(await calls(self.client, self.ticket_id, ALICE, self.credentials["admin"]))
        method, path, body = self.prepared[name]
        if name.endswith("_reminder"):
            await remind_every_principal(self.dsn, self.ticket_id)
        response = await self.client.request(method, path, json=body, headers=headers)
        if response.is_success and method != "GET":
            self.prepared.clear()
        return response


@pytest.fixture(scope="module")
async def service(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[ProtectedService]:
    async with migrated_database() as dsn:
        settings = settings_for(dsn, *redis_address, allow_anonymous=False)
        database = Database(dsn, pool_size=1)
        credentials, restricted = {}, {}
        for role in Role:
            key, _ = await ApiKeys(database).create(role, role, ALICE if role is Role.REQUESTER else None)
            credentials[role.value] = {"Authorization": f"Bearer {key}"}
        for scope in Scope:
            key, _ = await ApiKeys(database).create(f"only-{scope}", Role.ADMIN, scopes={scope})
            restricted[scope] = {"Authorization": f"Bearer {key}"}
        await database.close()
        async with running(settings) as (app, client):
            client.headers.update(credentials["agent"])
            ticket = await open_ticket(client, email=ALICE)
            del client.headers["Authorization"]
            yield ProtectedService(app.openapi(), client, credentials, restricted, ticket["id"], dsn)


async def remind_every_principal(dsn: str, ticket_id: int) -> None:
    """Give every principal a reminder on the ticket: nobody sees those of others."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "INSERT INTO reminders (ticket_id, principal_id, remind_at) SELECT $1, id, '2035-03-02Z' FROM principals"
        " ON CONFLICT DO NOTHING",
        ticket_id,
    )
    await connection.close()


# The scope that each operation requires; None for any. A new operation must be added here.
SCOPES: dict[str, Scope | None] = {
    "create_ticket": Scope.WRITE,
    "list_tickets": Scope.READ,
    "get_ticket": Scope.READ,
    "change_ticket": Scope.WRITE,
    "list_history": Scope.READ,
    "create_comment": Scope.COMMENT,
    "list_comments": Scope.READ,
    "put_ticket_by_external_id": Scope.WRITE,
    "take_ticket": Scope.WRITE,
    "release_ticket": Scope.WRITE,
    "add_tag": Scope.WRITE,
    "remove_tag": Scope.WRITE,
    "add_participant": Scope.WRITE,
    "remove_participant": Scope.WRITE,
    "add_link": Scope.WRITE,
    "remove_link": Scope.WRITE,
    "set_reminder": Scope.WRITE,
    "get_reminder": Scope.READ,
    "delete_reminder": Scope.WRITE,
    "list_reminders": Scope.READ,
    "merge_ticket": Scope.WRITE,
    "undo_merge": Scope.WRITE,
    "open_follow_up": Scope.WRITE,
    "get_workflow": None,
    "get_me": None,
    "get_principal": Scope.READ,
    "list_people": Scope.READ,
    "get_person": Scope.READ,
    "create_person": Scope.ADMIN,
    "change_person": Scope.ADMIN,
    "hand_over": Scope.ADMIN,
    "list_fields": Scope.READ,
    "get_field": Scope.READ,
    "create_field": Scope.ADMIN,
    "change_field": Scope.ADMIN,
    "list_sla_policies": Scope.READ,
    "get_sla_policy": Scope.READ,
    "create_sla_policy": Scope.ADMIN,
    "change_sla_policy": Scope.ADMIN,
    "recompute_sla_policy": Scope.ADMIN,
    "list_calendars": Scope.READ,
    "get_calendar": Scope.READ,
    "create_calendar": Scope.ADMIN,
    "change_calendar": Scope.ADMIN,
    "get_due": Scope.READ,
    "get_worked": Scope.READ,
    "propose_holidays": Scope.READ,
    "count_tickets": Scope.READ,
    "list_tags": Scope.READ,
    "rename_tag": Scope.ADMIN,
    "list_groups": Scope.READ,
    "get_group": Scope.READ,
    "create_group": Scope.ADMIN,
    "change_group": Scope.ADMIN,
    "add_group_member": Scope.ADMIN,
    "remove_group_member": Scope.ADMIN,
    "list_keys": Scope.READ,
    "get_key": Scope.READ,
    "create_key": Scope.ADMIN,
    "revoke_key": Scope.ADMIN,
    "list_events": Scope.READ,
    "list_ticket_events": Scope.READ,
    "list_event_types": Scope.READ,
    "list_webhooks": Scope.READ,
    "create_webhook": Scope.ADMIN,
    "get_webhook": Scope.READ,
    "change_webhook": Scope.ADMIN,
    "delete_webhook": Scope.ADMIN,
    "rotate_secret": Scope.ADMIN,
    "test_webhook": Scope.ADMIN,
    "list_rules": Scope.READ,
    "create_rule": Scope.ADMIN,
    "try_rule": Scope.ADMIN,
    "get_rule": Scope.READ,
    "change_rule": Scope.ADMIN,
    "delete_rule": Scope.ADMIN,
    "try_bulk_change": Scope.WRITE,
    "start_bulk_change": Scope.WRITE,
    "get_bulk_change": Scope.READ,
    "get_numbers_now": Scope.READ,
    "get_numbers_by_day": Scope.READ,
    "get_numbers_by_value": Scope.READ,
    "list_views": Scope.READ,
    "create_view": Scope.WRITE,
    "count_views": Scope.READ,
    "get_view": Scope.READ,
    "change_view": Scope.WRITE,
    "delete_view": Scope.WRITE,
    "list_canned_replies": Scope.READ,
    "create_canned_reply": Scope.WRITE,
    "get_canned_reply": Scope.READ,
    "render_canned_reply": Scope.READ,
    "change_canned_reply": Scope.WRITE,
    "delete_canned_reply": Scope.WRITE,
    "list_deliveries": Scope.READ,
    "replay_delivery": Scope.ADMIN,
    "start_replay": Scope.ADMIN,
    "get_replay": Scope.READ,
}
PUBLIC = {"livez", "readyz"}


async def test_every_operation_is_called_here(service: ProtectedService) -> None:
    admin = service.credentials["admin"]
    called = await calls(service.client, service.ticket_id, ALICE, admin)
    assert called.keys() == operations(service.document).keys() == SCOPES.keys() | PUBLIC


@pytest.mark.parametrize("name", [*SCOPES, *sorted(PUBLIC)])
async def test_an_operation_admits_the_roles_that_it_documents(service: ProtectedService, name: str) -> None:
    roles = operations(service.document)[name]["x-roles"]
    admitted = roles == ["anyone"]
    for role, headers in service.credentials.items():
        response = await service.call(name, headers)
        assert response.is_success if admitted or role in roles else response.status_code == 403, (role, response.text)
    response = await service.call(name, {})
    assert response.is_success if admitted else response.status_code == 401, response.text


@pytest.mark.parametrize("name", SCOPES)
async def test_an_operation_admits_the_scope_that_it_documents(service: ProtectedService, name: str) -> None:
    required = SCOPES[name]
    assert operations(service.document)[name]["x-scope"] == (required or "any")
    for scope, headers in service.restricted.items():
        response = await service.call(name, headers)
        if required in {scope, None} or (required, scope) == (Scope.COMMENT, Scope.WRITE):
            assert response.is_success, (scope, response.text)
            continue
        problem = response.json()
        assert (response.status_code, problem["type"]) == (403, "/problems/insufficient-scope"), (scope, problem)
        assert problem["scope"] == required
        challenge = f'Bearer realm="tickets", error="insufficient_scope", scope="{required}"'
        assert response.headers["WWW-Authenticate"] == challenge


async def test_the_metrics_require_the_scope_read(service: ProtectedService) -> None:
    for scope, headers in service.restricted.items():
        response = await service.client.get("/metrics", headers=headers)
        assert (response.status_code != 403) is (scope is Scope.READ)
