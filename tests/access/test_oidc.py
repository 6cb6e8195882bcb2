"""Authentication with tokens of an OIDC issuer: valid tokens, invalid tokens, and the issuer's signing keys."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest

from access.conftest import GuardedService
from access.issuer import AUDIENCE, Issuer
from core.settings import Settings
from models import Role
from services.access import signing_keys
from support.factories import a_ticket, running


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.stop()


@pytest.fixture(scope="module")
async def oidc_client(guarded_settings: Settings, issuer: Issuer) -> AsyncIterator[httpx2.AsyncClient]:
    with_issuer = guarded_settings.model_copy(update={"oidc_issuer": issuer.name, "oidc_audience": AUDIENCE})
    async with running(with_issuer) as (_, client):
        yield client


@pytest.fixture(autouse=True)
def fetch_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_keys, "MIN_FETCH_INTERVAL_S", 0)


async def list_tickets(oidc_client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await oidc_client.get("/tickets?limit=1", headers={"Authorization": f"Bearer {token}"})


def part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


async def test_a_token_authenticates_the_person_of_its_subject(oidc_client: httpx2.AsyncClient, issuer: Issuer) -> None:
    headers = {"Authorization": f"Bearer {issuer.token(sub='agent-7')}"}
    created = await oidc_client.post("/tickets", json=a_ticket(), headers=headers)
    assert created.status_code == 201, created.text
    history = await oidc_client.get(f"/tickets/{created.json()['id']}/history", headers=headers)
    (event,) = history.json()["items"]
    me = (await oidc_client.get("/me", headers=headers)).json()
    assert (event["actor"], me["kind"], me["role"]) == (me["id"], "person", "agent")
    assert me["id"].startswith("person:")
    former = await oidc_client.get("/principals/oidc:agent-7", headers=headers)
    assert former.json()["id"] == me["id"]


async def test_several_algorithms_and_audiences_are_accepted(oidc_client: httpx2.AsyncClient, issuer: Issuer) -> None:
    issuer.add_ec("elliptic")
    for algorithm in ("RS384", "RS512", "PS256", "PS512"):  # the key in the document has no algorithm
        assert (await list_tickets(oidc_client, issuer.token(algorithm=algorithm))).status_code == 200
    for token in (
        issuer.token(key_id="elliptic"),
        issuer.token(aud=["else", AUDIENCE]),
        issuer.token(roles="a agent"),
    ):
        assert (await list_tickets(oidc_client, token)).status_code == 200


async def test_a_token_with_a_verified_address_is_a_requester(oidc_client: httpx2.AsyncClient, issuer: Issuer) -> None:
    verified = issuer.token(roles=None, email="Carol@example.com", email_verified=True)
    headers = {"Authorization": f"Bearer {verified}"}
    body = a_ticket(email="carol@example.com")
    assert (await oidc_client.post("/tickets", json=body, headers=headers)).status_code == 201
    assert (await oidc_client.post("/tickets", json=a_ticket(), headers=headers)).status_code == 403
    for claims in (
        {"roles": {"agent": False}, "email": None},
        {"email": "\u212aate@example.com"},  # the Kelvin sign, whose lower case is k
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "yes"},
        {"email": None},
    ):
        token = issuer.token(**with_claims(claims))
        response = await list_tickets(oidc_client, token)
        assert (response.status_code, response.json()["type"]) == (403, "/problems/forbidden")


def with_claims(others: dict[str, Any]) -> dict[str, Any]:
    return {"roles": ["staff"], "email": "carol@example.com", "email_verified": True} | others


def forged(issuer: Issuer, header: dict[str, Any], **claims: Any) -> tuple[str, bytes]:
    content = f"{part({'typ': 'JWT', 'kid': 'first'} | header)}.{part(issuer.claims(**claims))}"
    return content, content.encode()


def unsigned(issuer: Issuer) -> str:
    return f"{forged(issuer, {'alg': 'none'})[0]}."


def signed_with_the_public_key(issuer: Issuer) -> str:
    content, signed = forged(issuer, {"alg": "HS256"})
    digest = hmac.new(issuer.public_pem(), signed, hashlib.sha256).digest()
    return f"{content}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def signed_by_another_issuer(issuer: Issuer) -> str:
    other = Issuer()
    try:
        return other.token(iss=issuer.name)
    finally:
        other.stop()


def altered(issuer: Issuer) -> str:
    header, _, signature = issuer.token().split(".")
    return f"{header}.{part(issuer.claims(sub='another'))}.{signature}"


BAD_TOKENS: dict[str, Callable[[Issuer], str]] = {
    "alg=none": unsigned,
    "HS256 signed with the public key": signed_with_the_public_key,
    "signed by another issuer": signed_by_another_issuer,
    "altered": altered,
    "wrong audience": lambda issuer: issuer.token(aud="others"),
    "no audience": lambda issuer: issuer.token(aud=None),
    "wrong issuer": lambda issuer: issuer.token(iss="http://127.0.0.1/else"),
    "no issuer": lambda issuer: issuer.token(iss=None),
    "expired": lambda issuer: issuer.token(exp=time.time() - 120),
    "no expiry": lambda issuer: issuer.token(exp=None),
    "not valid yet": lambda issuer: issuer.token(nbf=time.time() + 120),
    "no subject": lambda issuer: issuer.token(sub=None),
    "a number as the subject": lambda issuer: f"{forged(issuer, {'alg': 'RS256'}, sub=7)[0]}.AAAA",
    "a subject with a control character": lambda issuer: issuer.token(sub="a\0b"),
    "a subject of 256 characters": lambda issuer: issuer.token(sub="x" * 256),
    "nonsense": lambda _issuer: "nonsense",
    "three dots": lambda _issuer: "...",
    "deeply nested header": lambda _issuer: f"{base64.urlsafe_b64encode(b'[' * 3000).decode()}.e30.AAAA",
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
async def test_a_bad_token_is_refused(oidc_client: httpx2.AsyncClient, issuer: Issuer, kind: str) -> None:
    response = await list_tickets(oidc_client, BAD_TOKENS[kind](issuer))
    assert (response.status_code, response.json()["type"]) == (401, "/problems/unauthenticated")
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


async def test_fetches_for_unknown_keys_are_limited(
    oidc_client: httpx2.AsyncClient, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await list_tickets(oidc_client, issuer.token())).status_code == 200
    monkeypatch.setattr(signing_keys, "MIN_FETCH_INTERVAL_S", 3600)
    fetches = issuer.fetches
    for number in range(20):
        issuer.keys[f"unknown-{number}"] = issuer.keys["first"]
        assert (await list_tickets(oidc_client, issuer.token(key_id=f"unknown-{number}"))).status_code == 401
    assert issuer.fetches == fetches
    monkeypatch.setattr(signing_keys, "MIN_FETCH_INTERVAL_S", 0)
    assert (await list_tickets(oidc_client, issuer.token(key_id="unknown-7"))).status_code == 200


async def test_withdrawn_keys_are_refused_after_a_refresh(
    oidc_client: httpx2.AsyncClient, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.add_rsa("leaked")
    token = issuer.token(key_id="leaked")
    assert (await list_tickets(oidc_client, token)).status_code == 200
    del issuer.keys["leaked"]
    assert (await list_tickets(oidc_client, token)).status_code == 200
    monkeypatch.setattr(signing_keys, "FRESH_FOR_S", 0)
    # The request that starts the refresh does not wait for it.
    async with asyncio.timeout(5):
        while (await list_tickets(oidc_client, token)).status_code != 401:
            await asyncio.sleep(0.01)


async def test_an_unavailable_issuer_blocks_only_tokens_without_a_cached_key(
    oidc_client: httpx2.AsyncClient, guarded_settings: Settings, service: GuardedService, issuer: Issuer
) -> None:
    assert (await list_tickets(oidc_client, issuer.token())).status_code == 200
    issuer.is_down = True
    try:
        assert (await list_tickets(oidc_client, issuer.token())).status_code == 200
        with_issuer = guarded_settings.model_copy(update={"oidc_issuer": issuer.name, "oidc_audience": AUDIENCE})
        async with running(with_issuer) as (_, new_client):
            response = await list_tickets(new_client, issuer.token())
            assert (response.status_code, response.json()["type"]) == (503, "/problems/issuer-unavailable")
            assert response.headers["Retry-After"]
            key = await service.headers_for("independent", Role.AGENT)
            assert (await new_client.get("/tickets", headers=key)).status_code == 200
    finally:
        issuer.is_down = False


async def test_with_an_issuer_credentials_are_required(oidc_client: httpx2.AsyncClient) -> None:
    assert (await oidc_client.get("/tickets")).status_code == 401
