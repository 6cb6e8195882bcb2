"""Sign-in at an OIDC issuer: authorization code flow with PKCE, state and nonce."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from core.settings import Settings
from models import Role
from schemas.people import PersonPatch
from services.access.principal import LOCAL_ADMIN
from sign_in.issuer import CLIENT_ID, CLIENT_SECRET, UNPUBLISHED, CodeIssuer
from support.desk_pages import words_of
from support.factories import NewDatabase, running, settings_for
from support.sign_in import browser_of, field, new_account, services_of, sign_in


@dataclass(frozen=True)
class SsoSite:
    """A service whose people sign in at an issuer, or with a password."""

    app: FastAPI
    dsn: str
    settings: Settings
    issuer: CodeIssuer


@pytest.fixture(scope="module")
def issuer() -> Iterator[CodeIssuer]:
    issuer = CodeIssuer()
    yield issuer
    issuer.stop()


@pytest.fixture(scope="module")
async def sso(
    migrated_database: NewDatabase, redis_address: tuple[str, int], issuer: CodeIssuer
) -> AsyncIterator[SsoSite]:
    async with migrated_database() as dsn:
        settings = settings_for(
            dsn,
            *redis_address,
            allow_anonymous=False,
            oidc_issuer=issuer.name,
            oidc_audience="tickets",
            oidc_client_id=CLIENT_ID,
            oidc_client_secret=CLIENT_SECRET,
        )
        async with running(settings) as (app, _):
            yield SsoSite(app, dsn, settings, issuer)


@pytest.fixture(autouse=True)
def claims(issuer: CodeIssuer) -> None:
    issuer.claims = {"sub": "alice", "roles": ["agent"], "name": "Alice Liddell"}


async def leave(client: httpx2.AsyncClient, next_path: str = "/desk/keys") -> str:
    """Go to the issuer, and return its URL."""
    response = await client.get("/sign-in/sso", params={"next": next_path})
    assert response.status_code == 303, words_of(response.text)
    return response.headers["Location"]


async def enter(client: httpx2.AsyncClient, issuer: CodeIssuer) -> httpx2.Response:
    """Sign in at the issuer."""
    return await client.get(issuer.authorize(await leave(client)))


async def test_a_person_signs_in_at_the_issuer(sso: SsoSite) -> None:
    async with browser_of(sso.app) as client:
        page = await client.get("/sign-in?next=/desk/keys")
        assert 'href="./sign-in/sso?next=/desk/keys"' in page.text
        url = await leave(client)
        query = parse_qs(urlsplit(url).query)
        assert url.startswith(f"{sso.issuer.name}/authorize?")
        assert query["redirect_uri"] == ["http://localhost:8000/sign-in/callback"]
        assert CLIENT_SECRET not in url
        response = await client.get(sso.issuer.authorize(url))
        assert (response.status_code, response.headers["Location"]) == (303, "../desk/keys")
        assert "sign-in" not in client.cookies
        page = await client.get("/desk/tickets")
        assert (page.status_code, "Alice Liddell" in words_of(page.text)) == (200, True)


async def test_the_subject_is_the_identity(sso: SsoSite) -> None:
    async with browser_of(sso.app) as client:
        await enter(client, sso.issuer)
        first = [person for person in await people(sso) if person["subject"] == "alice"]
        sso.issuer.claims |= {"name": "Alice Renamed", "email": "new@example.com", "email_verified": True}
        await enter(client, sso.issuer)
        assert [person["id"] for person in first] == [
            each["id"] for each in await people(sso) if each["subject"] == "alice"
        ]


async def people(sso: SsoSite) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(sso.dsn)
    try:
        return await connection.fetch("SELECT id, subject, email, role FROM principals WHERE kind = 'person'")
    finally:
        await connection.close()


@pytest.mark.parametrize(("is_verified", "is_linked"), [(True, True), (False, False)])
async def test_an_address_links_an_account_only_if_it_is_verified(
    sso: SsoSite, is_verified: bool, is_linked: bool
) -> None:
    account = await new_account(sso.app)
    subject = f"bob-{is_verified}"
    sso.issuer.claims = {"sub": subject, "email": account.email, "email_verified": is_verified, "roles": ["agent"]}
    async with browser_of(sso.app) as client:
        await enter(client, sso.issuer)
    (found,) = [person for person in await people(sso) if person["subject"] == subject]
    assert (found["id"] == account.id) == is_linked


async def test_a_person_without_a_role_is_a_requester_by_the_verified_address(sso: SsoSite) -> None:
    sso.issuer.claims = {"sub": "carol", "email": "carol@example.com", "email_verified": True, "roles": None}
    async with browser_of(sso.app) as client:
        response = await enter(client, sso.issuer)
        assert response.status_code == 303
        assert (await client.get("/desk/tickets")).status_code == 403
        assert "carol@example.com" in (await client.get("/my/account")).text
        sso.issuer.claims = {"sub": "dave", "email": "carol@example.com", "email_verified": False, "roles": None}
        refused = await enter(client, sso.issuer)
        assert (refused.status_code, "no account here" in words_of(refused.text)) == (422, True)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": "tickets"},
        {"aud": [CLIENT_ID, "other"], "azp": "other"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"sub": None},
        {"key_id": UNPUBLISHED},
    ],
    ids=str,
)
async def test_a_token_that_was_not_issued_for_this_sign_in_is_refused(sso: SsoSite, claims: dict[str, object]) -> None:
    sso.issuer.claims |= claims
    async with browser_of(sso.app) as client:
        response = await enter(client, sso.issuer)
        assert (response.status_code, "session" in client.cookies) == (422, False)
        assert "did not sign you in" in words_of(response.text)


async def test_the_state_belongs_to_the_browser_and_is_used_once(sso: SsoSite) -> None:
    async with browser_of(sso.app) as client, browser_of(sso.app) as victim:
        returned = sso.issuer.authorize(await leave(client))
        await leave(victim)
        # Mallory's way back, opened in the browser of a victim.
        assert (await victim.get(returned)).status_code == 422
        state = client.cookies["sign-in"]
        assert (await client.get(returned)).status_code == 303
        client.cookies.set("sign-in", state)
        assert (await client.get(returned)).status_code == 422
        assert (await client.get("/sign-in/callback?error=access_denied")).status_code == 422
        assert (await client.get("/sign-in/callback?state=x&code=y")).status_code == 422


async def test_of_concurrent_returns_one_signs_in(sso: SsoSite) -> None:
    async with browser_of(sso.app) as client:
        returned = sso.issuer.authorize(await leave(client))
        cookie = {"Cookie": f"sign-in={client.cookies['sign-in']}"}
        clients = [browser_of(sso.app) for _ in range(6)]
        responses = await asyncio.gather(*(each.get(returned, headers=cookie) for each in clients))
        assert sorted(response.status_code for response in responses) == [303] + [422] * 5
        for each in clients:
            await each.aclose()


async def test_a_code_without_its_verifier_is_worth_nothing(sso: SsoSite) -> None:
    async with browser_of(sso.app) as client:
        first, second = sso.issuer.authorize(await leave(client)), sso.issuer.authorize(await leave(client))
        code = parse_qs(urlsplit(first).query)["code"][0]
        state = parse_qs(urlsplit(second).query)["state"][0]
        response = await client.get("/sign-in/callback", params={"state": state, "code": code})
        assert (response.status_code, "did not sign you in" in words_of(response.text)) == (422, True)


async def test_a_deactivated_person_is_not_signed_in(sso: SsoSite) -> None:
    sso.issuer.claims["sub"] = "erin"
    async with browser_of(sso.app) as client:
        await enter(client, sso.issuer)
        (person,) = [each for each in await people(sso) if each["subject"] == "erin"]
        await sso.app.state.people.change(person["id"], PersonPatch(active=False), LOCAL_ADMIN)
        # Within some seconds, the person of the subject is known in memory: the session is void in any case.
        await enter(client, sso.issuer)
        services_of(sso.app).session_cache._cached.clear()  # noqa: SLF001 - instead of waiting
        assert (await client.get("/desk/tickets")).status_code == 303


async def test_an_issuer_that_is_down_is_said_on_the_page(sso: SsoSite) -> None:
    client_of_issuer = services_of(sso.app).oidc
    assert client_of_issuer is not None
    client_of_issuer._client._fetched_at = float("-inf")  # noqa: SLF001 - forget the discovery document
    sso.issuer.is_down = True
    try:
        async with browser_of(sso.app) as client:
            response = await client.get("/sign-in/sso")
            assert (response.status_code, "does not respond" in words_of(response.text)) == (422, True)
    finally:
        sso.issuer.is_down = False


async def test_with_sso_only_no_password_is_accepted_and_the_operator_has_a_way_back(sso: SsoSite) -> None:
    settings = sso.settings.model_copy(update={"password_sign_in": False})
    account = await new_account(sso.app, Role.ADMIN)
    async with running(settings) as (app, _), browser_of(app) as client:
        page = await client.get("/sign-in")
        assert ('name="password"' in page.text, "at your organization" in words_of(page.text)) == (False, True)
        refused = await sign_in(client, account)
        assert (refused.status_code, "switched off" in words_of(refused.text)) == (422, True)
        assert (await client.get("/set-up")).status_code == 404
        link = await services_of(app).links.for_person(account.email)
        assert (await client.post("/sign-in/link", data={"token": link})).status_code == 303
        assert (await client.get("/desk/tickets")).status_code == 200
        form = {"new_password": "one more password", "repeated": "one more password"}
        assert (await client.post("/my/account/password", data=form)).status_code == 422


async def test_a_kept_form_is_sent_again_after_a_sign_in_at_the_issuer(sso: SsoSite) -> None:
    async with browser_of(sso.app) as client:
        asked = await client.post("/desk/tickets", data={"text": "Long words"})
        assert (asked.status_code, 'target="_blank" rel="noopener"' in asked.text) == (401, True)
        assert 'action="../desk/tickets"' in asked.text
        assert field(asked.text, "text") == "Long words"


def test_settings_that_let_nobody_in_are_refused() -> None:
    with pytest.raises(ValueError, match="PASSWORD_SIGN_IN=false requires OIDC_CLIENT_ID"):
        Settings(_env_file=None, password_sign_in=False)
    with pytest.raises(ValueError, match="OIDC_CLIENT_ID requires OIDC_ISSUER"):
        Settings(_env_file=None, oidc_client_id="desk")
