"""API keys over HTTP: creation, lists, revocation, keys of people."""

import secrets

import asyncpg
import httpx2
import pytest

from access.conftest import GuardedService
from models import Role
from services.access import api_key_cache
from support.api_calls import a_person, created
from support.factories import JSON


@pytest.fixture(scope="module")
async def admin(service: GuardedService) -> dict[str, str]:
    return await service.headers_for("boss", Role.ADMIN)


@pytest.fixture(autouse=True)
def reload_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_key_cache, "FRESH_FOR_S", 0)


def bearer(key: JSON) -> dict[str, str]:
    return {"Authorization": f"Bearer {key['secret']}"}


def problem(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].removeprefix("/problems/")


async def a_key(service: GuardedService, admin: dict[str, str], **fields: object) -> JSON:
    return await created(service.client, "/keys", {"name": secrets.token_hex(6), "role": "agent", **fields}, admin)


async def test_the_secret_is_in_the_response_of_the_creation_only(
    service: GuardedService, admin: dict[str, str]
) -> None:
    response = await service.client.post("/keys", json={"name": "desk", "role": "agent"}, headers=admin)
    key = response.json()
    assert (response.status_code, response.headers["Cache-Control"]) == (201, "no-store")
    assert (key["principal_id"], key["name"], key["role"], key["scopes"]) == ("key:desk", "desk", "agent", None)
    assert (await service.client.get("/tickets", headers=bearer(key))).status_code == 200
    read = await service.client.get(response.headers["Location"], headers=admin)
    assert read.json() == {name: value for name, value in key.items() if name != "secret"}
    listed = await service.client.get("/keys?limit=100", headers=admin)
    assert read.json() in listed.json()["items"]
    assert key["secret"] not in read.text + listed.text


async def test_only_admins_manage_keys(service: GuardedService, agent: dict[str, str], alice: dict[str, str]) -> None:
    for headers in (agent, alice):
        for method, path in (("GET", "/keys"), ("POST", "/keys"), ("GET", "/keys/x"), ("DELETE", "/keys/x")):
            body = {"name": "x", "role": "admin"} if method == "POST" else None
            response = await service.client.request(method, path, json=body, headers=headers)
            assert problem(response) == (403, "forbidden")


async def test_a_revoked_key_is_refused_and_stays_listed(service: GuardedService, admin: dict[str, str]) -> None:
    key = await a_key(service, admin)
    path = f"/keys/{key['id']}"
    first, second = [await service.client.delete(path, headers=admin) for _ in range(2)]
    assert first.status_code == second.status_code == 200
    assert first.json()["revoked_at"] == second.json()["revoked_at"] is not None
    assert (await service.client.get("/tickets", headers=bearer(key))).status_code == 401
    assert (await service.client.get(path, headers=admin)).json() == first.json()


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_unknown_key_is_not_found(service: GuardedService, admin: dict[str, str], method: str) -> None:
    assert problem(await service.client.request(method, "/keys/00000000", headers=admin)) == (404, "key-not-found")


async def test_the_rules_of_names_hold_over_http(service: GuardedService, admin: dict[str, str]) -> None:
    for _ in range(2):
        await a_key(service, admin, name="pair", role="requester", email="pair@example.com")
    await a_key(service, admin, name="single")
    for wrong in (
        {"name": "pair", "role": "requester", "email": "pair@example.com"},  # a third live key
        {"name": "single", "role": "admin"},
        {"name": "single", "role": "requester", "email": "pair@example.com"},
    ):
        assert problem(await service.client.post("/keys", json=wrong, headers=admin)) == (409, "key-not-created")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"name": "x", "role": "requester"},
        {"name": "x", "role": "agent", "email": "x@example.com"},
        {"name": "x", "role": "agent", "principal_id": "person:1"},
        {"name": "x", "role": "agent", "scopes": []},
        {"name": "x", "role": "agent", "scopes": ["everything"]},
        {"name": "x", "role": "agent", "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "x", "role": "agent", "expires_at": "2099-01-01"},
        {"name": " ", "role": "agent"},
        {"name": "x", "role": "agent", "secret": "mine"},
    ],
    ids=str,
)
async def test_an_invalid_key_is_refused(service: GuardedService, admin: dict[str, str], body: JSON) -> None:
    assert problem(await service.client.post("/keys", json=body, headers=admin)) == (422, "invalid-request")


async def test_a_key_of_a_person_acts_as_the_person(service: GuardedService, admin: dict[str, str]) -> None:
    person = await created(service.client, "/people", a_person(), admin)
    key = await created(service.client, "/keys", {"principal_id": person["id"]}, admin)
    assert (key["principal_id"], key["name"], key["role"]) == (person["id"], person["name"], "agent")
    body = {"subject": "x", "text": "x", "email": "carol@example.com"}
    ticket = await created(service.client, "/tickets", body, bearer(key))
    history = await service.client.get(f"/tickets/{ticket['id']}/history", headers=admin)
    assert [event["actor"] for event in history.json()["items"]] == [person["id"]]


async def test_a_key_of_a_requester_sees_their_tickets_only(service: GuardedService, admin: dict[str, str]) -> None:
    person = await created(service.client, "/people", a_person(role="requester"), admin)
    key = await created(service.client, "/keys", {"principal_id": person["id"], "scopes": ["read"]}, admin)
    body = {"subject": "x", "text": "x", "email": person["email"]}
    own = await created(service.client, "/tickets", body, admin)
    foreign = await created(service.client, "/tickets", body | {"email": "carol@example.com"}, admin)
    statuses = [
        (await service.client.get(f"/tickets/{ticket['id']}", headers=bearer(key))).status_code
        for ticket in (own, foreign)
    ]
    assert statuses == [200, 404]


async def test_a_key_needs_an_active_person(service: GuardedService, admin: dict[str, str]) -> None:
    person = await created(service.client, "/people", a_person(), admin)
    await service.client.patch(f"/people/{person['id']}", json={"active": False}, headers=admin)
    for wrong in (person["id"], "person:999999", "key:boss", "anonymous"):
        response = await service.client.post("/keys", json={"principal_id": wrong}, headers=admin)
        assert problem(response) == (422, "invalid-reference")
        assert [part["pointer"] for part in response.json()["errors"]] == ["#/principal_id"]


async def test_a_deactivated_service_account_is_refused_as_a_revoked_key(
    service: GuardedService, admin: dict[str, str], service_sql: asyncpg.Connection
) -> None:
    key = await a_key(service, admin)
    assert (await service.client.get("/tickets", headers=bearer(key))).status_code == 200
    await service_sql.execute(
        "UPDATE principals SET active = false, deactivated_at = now() WHERE id = $1", key["principal_id"]
    )
    response = await service.client.get("/tickets", headers=bearer(key))
    assert problem(response) == (401, "unauthenticated")
    more = {"name": key["name"], "role": "agent"}
    assert problem(await service.client.post("/keys", json=more, headers=admin)) == (409, "key-not-created")


async def test_pages_of_keys_follow_cursors(service: GuardedService, admin: dict[str, str]) -> None:
    made = [(await a_key(service, admin))["id"] for _ in range(3)]
    found: list[str] = []
    path = "/keys?limit=2"
    while path:
        response = await service.client.get(path, headers=admin)
        found += [key["id"] for key in response.json()["items"]]
        path = response.headers["Link"].partition(">")[0][1:] if "Link" in response.headers else ""
    assert len(found) == len(set(found)) == len(await service.keys.list())
    assert [key_id for key_id in found if key_id in made] == made


@pytest.fixture
async def key_of_release_before(service_sql: asyncpg.Connection) -> str:
    """The id of a key that the release before this one inserted, which knows no principals."""
    key_id: str = await service_sql.fetchval(
        "INSERT INTO api_keys (id, name, role, email, secret_hash, expires_at) "
        "VALUES ('formerly', 'former', 'requester', 'Former@example.com', $1, NULL) RETURNING id",
        bytes(32),
    )
    return key_id


async def test_a_key_of_the_release_before_gets_the_principal_of_its_name(
    service: GuardedService, admin: dict[str, str], key_of_release_before: str
) -> None:
    key = (await service.client.get(f"/keys/{key_of_release_before}", headers=admin)).json()
    assert (key["principal_id"], key["role"], key["email"], key["scopes"]) == (
        *("key:former", "requester"),
        *("Former@example.com", None),
    )
    second, record = await service.keys.create("former", Role.REQUESTER, "former@EXAMPLE.com")
    assert record.principal_id == "key:former"
    assert second.id != key["id"]


async def test_a_key_of_an_admin_is_one_of_an_agent_for_the_release_before(
    service: GuardedService, admin: dict[str, str], service_sql: asyncpg.Connection
) -> None:
    key = await a_key(service, admin, role="admin")
    assert key["role"] == "admin"
    assert await service_sql.fetchval("SELECT role FROM api_keys WHERE id = $1", key["id"]) == "agent"
