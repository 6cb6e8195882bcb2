"""Tokens of an OIDC issuer find or make the person of their subject."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import httpx2
import pytest
from asyncpg.connection import LoggedQuery

from access.conftest import GuardedService
from access.issuer import AUDIENCE, Issuer
from core.errors import DatabaseUnavailable
from core.settings import Settings
from models import Role
from services.access import token_people
from support.api_calls import a_person, created
from support.factories import JSON, running


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.stop()


@pytest.fixture(scope="module")
async def tokens(guarded_settings: Settings, issuer: Issuer) -> AsyncIterator[GuardedService]:
    with_issuer = guarded_settings.model_copy(update={"oidc_issuer": issuer.name, "oidc_audience": AUDIENCE})
    async with running(with_issuer) as (app, client):
        yield GuardedService(app, client, None, with_issuer)  # type: ignore[arg-type] # it creates no keys


@pytest.fixture(scope="module")
async def admin(service: GuardedService) -> dict[str, str]:
    return await service.headers_for("boss", Role.ADMIN)


class Subject:
    """A subject of the issuer, and its requests with tokens."""

    def __init__(self, client: httpx2.AsyncClient, issuer: Issuer) -> None:
        self.name = f"s-{secrets.token_hex(6)}"
        self.email = f"{self.name}@example.com"
        self._client = client
        self._issuer = issuer

    async def get(self, path: str = "/me", **claims: Any) -> httpx2.Response:
        token = self._issuer.token(**{"sub": self.name, **claims})
        return await self._client.get(path, headers={"Authorization": f"Bearer {token}"})

    async def me(self, **claims: Any) -> JSON:
        response = await self.get(**claims)
        assert response.status_code == 200, response.text
        me: JSON = response.json()
        return me

    @property
    def verified(self) -> JSON:
        """The claims of a token without a role and with a verified address."""
        return {"roles": None, "email": self.email, "email_verified": True}


@pytest.fixture
def subject(tokens: GuardedService, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Subject:
    monkeypatch.setattr(token_people, "FRESH_FOR_S", 0)
    return Subject(tokens.client, issuer)


async def test_a_new_subject_is_a_new_person(subject: Subject, tokens: GuardedService, admin: dict[str, str]) -> None:
    me = await subject.me(name="Ann Other", email=subject.email, email_verified=True)
    assert (me["name"], me["email"], me["role"], me["kind"]) == ("Ann Other", subject.email, "agent", "person")
    person = (await tokens.client.get(f"/people/{me['id']}", headers=admin)).json()
    assert (person["role_source"], person["active"], person["version"]) == ("token", True, 1)
    assert (await subject.me())["id"] == me["id"]


@pytest.mark.parametrize(
    ("roles", "role"),
    [("admin", "admin"), (["agent", "admin"], "admin"), (["monitor", "agent"], "agent"), ("monitor", "monitor")],
)
async def test_the_first_role_of_the_claim_counts(subject: Subject, roles: object, role: str) -> None:
    assert (await subject.me(roles=roles))["role"] == role


async def test_a_monitor_without_an_address_reads_the_metrics(subject: Subject) -> None:
    assert (await subject.get("/metrics", roles="monitor")).status_code in {200, 404}
    assert (await subject.get("/tickets", roles="monitor")).status_code == 403


async def test_a_name_that_cannot_be_stored_is_replaced(subject: Subject) -> None:
    assert (await subject.me(name="two\nlines"))["name"] == subject.name


async def test_simultaneous_first_requests_make_one_person(tokens: GuardedService, issuer: Issuer) -> None:
    subject = Subject(tokens.client, issuer)
    people = await asyncio.gather(*(subject.me(**claims) for claims in [{}, subject.verified, {"roles": "admin"}] * 3))
    assert len({person["id"] for person in people}) == 1


async def test_a_subject_takes_over_the_person_of_its_verified_address(
    subject: Subject, tokens: GuardedService, admin: dict[str, str]
) -> None:
    person = await created(tokens.client, "/people", a_person(email=subject.email), admin)
    claims = subject.verified | {"email": subject.email.upper().replace("@EXAMPLE.COM", "@example.com")}
    me = await subject.me(**claims)
    assert (me["id"], me["role"]) == (person["id"], "agent")  # an admin set the role
    assert (await subject.me(roles=None))["id"] == person["id"]


async def test_an_address_that_is_not_verified_takes_over_nothing(
    subject: Subject, tokens: GuardedService, admin: dict[str, str]
) -> None:
    person = await created(tokens.client, "/people", a_person(email=subject.email, role="admin"), admin)
    me = await subject.me(email=subject.email, email_verified=False)
    assert (me["id"] != person["id"], me["email"], me["role"]) == (True, None, "agent")


async def test_a_person_belongs_to_one_subject(subject: Subject, tokens: GuardedService, issuer: Issuer) -> None:
    first = await subject.me(**subject.verified)
    other = await Subject(tokens.client, issuer).me(**subject.verified)
    assert other["id"] != first["id"]
    assert (first["role"], other["role"]) == ("requester", "requester")


async def test_the_role_of_the_claim_is_stored_and_replaces_that_of_an_admin(
    subject: Subject, tokens: GuardedService, admin: dict[str, str]
) -> None:
    me = await subject.me(**subject.verified)
    path = f"/people/{me['id']}"
    promoted = await tokens.client.patch(path, json={"role": "admin"}, headers=admin)
    assert promoted.json()["role_source"] == "admin"
    assert (await subject.me(**subject.verified))["role"] == "admin"
    assert (await subject.me(roles="agent"))["role"] == "agent"
    person = (await tokens.client.get(path, headers=admin)).json()
    assert (person["role"], person["role_source"]) == ("agent", "token")
    assert (await subject.me(**subject.verified))["role"] == "requester"


async def test_without_role_and_address_a_token_is_refused_and_makes_no_person(
    subject: Subject, tokens: GuardedService, admin: dict[str, str]
) -> None:
    assert (await subject.get(roles=None)).status_code == 403
    found = await tokens.client.get(f"/principals/oidc:{subject.name}", headers=admin)
    assert found.status_code == 404


async def test_a_deactivated_person_is_refused(subject: Subject, tokens: GuardedService, admin: dict[str, str]) -> None:
    me = await subject.me()
    path = f"/people/{me['id']}"
    await tokens.client.patch(path, json={"active": False}, headers=admin)
    for claims in ({}, {"roles": "admin"}, subject.verified):
        response = await subject.get(**claims)
        assert (response.status_code, response.json()["type"]) == (401, "/problems/unauthenticated")
    await tokens.client.patch(path, json={"active": True}, headers=admin)
    assert (await subject.me())["id"] == me["id"]


async def test_a_person_in_memory_costs_no_query(tokens: GuardedService, issuer: Issuer) -> None:
    assert token_people.FRESH_FOR_S < 10
    subject = Subject(tokens.client, issuer)
    await subject.me()
    statements: list[str] = []

    def append(query: LoggedQuery) -> None:
        statements.append(query.query)

    tokens.app.state.tickets._database.add_statement_listener(append)  # noqa: SLF001 - not observable otherwise
    for _ in range(3):
        assert (await subject.get("/workflow")).status_code == 200
    await asyncio.sleep(0)
    assert not [statement for statement in statements if "principals" in statement]


async def test_while_postgresql_is_unavailable_only_a_monitor_in_memory_is_accepted(
    subject: Subject, tokens: GuardedService, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = Subject(tokens.client, issuer)
    await monitor.me(roles="monitor")
    await subject.me()

    async def fail(*_: object) -> None:
        raise DatabaseUnavailable("unavailable")

    monkeypatch.setattr(token_people.TokenPeople, "_load", fail)
    assert (await monitor.get("/metrics", roles="monitor")).status_code in {200, 404}
    assert (await subject.get("/tickets")).status_code == 503
    assert (await Subject(tokens.client, issuer).get("/metrics", roles="monitor")).status_code == 503


async def test_the_people_in_memory_are_limited(
    subject: Subject, tokens: GuardedService, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_people, "MAX_PEOPLE", 2)
    ids = [(await each.me())["id"] for each in (subject, *(Subject(tokens.client, issuer) for _ in range(3)))]
    assert len(set(ids)) == 4
    assert (await subject.me())["id"] == ids[0]


async def test_a_retry_from_the_release_before_is_replayed(
    subject: Subject, tokens: GuardedService, issuer: Issuer, service_sql: asyncpg.Connection
) -> None:
    headers = {"Authorization": f"Bearer {issuer.token(sub=subject.name)}", "Idempotency-Key": secrets.token_hex(8)}
    body = {"subject": "x", "text": "x", "email": "carol@example.com"}
    other = {"Authorization": f"Bearer {issuer.token(sub='another')}", "Idempotency-Key": headers["Idempotency-Key"]}
    first = await tokens.client.post("/tickets", json=body, headers=other)
    await service_sql.execute(
        "UPDATE idempotency_keys SET principal = $1 WHERE key = $2",
        *(f"oidc:{subject.name}", headers["Idempotency-Key"]),
    )
    again = await tokens.client.post("/tickets", json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
