"""Sign-in links: used once, by a button, and made by agents for requesters alone."""

import asyncio
import secrets
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx2
import pytest

from models import Role
from sign_in.conftest import Site
from support.desk_pages import words_of
from support.factories import open_ticket
from support.sign_in import browser_of, field, new_account, services_of, signed_in


async def link_for(client: httpx2.AsyncClient, email: str) -> str:
    """Return the token of a link that an agent makes on the page."""
    response = await client.post("/desk/sign-in-links", data={"email": email})
    assert response.status_code == 200, words_of(response.text)
    url = response.text.split('<input readonly value="')[1].split('"')[0]
    assert url.startswith("http://localhost:8000/sign-in/link?token=")
    return parse_qs(urlsplit(url).query)["token"][0]


async def new_requester(site: Site) -> str:
    """Return the address of a requester whom only a ticket knows."""
    email = f"{secrets.token_hex(6)}@example.com"
    key, _ = await site.app.state.keys._keys.create(secrets.token_hex(4), Role.AGENT)  # noqa: SLF001 - no admin key needed
    async with browser_of(site.app, Authorization=f"Bearer {key}") as api:
        await open_ticket(api, email=email)
    return email


async def test_a_requester_signs_in_by_the_link_of_an_agent(site: Site) -> None:
    email = await new_requester(site)
    async with signed_in(site.app, await new_account(site.app)) as agent, browser_of(site.app) as requester:
        token = await link_for(agent, email.upper())
        for _ in range(3):  # a program that looks at links in mails uses nothing up
            page = await requester.get(f"/sign-in/link?token={token}")
            assert (page.status_code, field(page.text, "token")) == (200, token)
            assert "Set-Cookie" not in page.headers
        used = await requester.post("/sign-in/link", data={"token": token})
        assert (used.status_code, used.headers["Location"]) == (303, "../my")
        account = await requester.get("/my/account")
        assert (account.status_code, email in account.text.lower()) == (200, True)
        assert (await requester.get("/desk/tickets")).status_code == 403
        # The same person at the next time.
        again = await link_for(agent, email)
        assert (await requester.post("/sign-in/link", data={"token": again})).status_code == 303


async def test_of_concurrent_uses_exactly_one_signs_in(site: Site) -> None:
    token = await services_of(site.app).links.for_person(site.admin.email)
    clients = [browser_of(site.app) for _ in range(8)]
    responses = await asyncio.gather(*(each.post("/sign-in/link", data={"token": token}) for each in clients))
    assert sorted(response.status_code for response in responses) == [303] + [422] * 7
    assert sum("Set-Cookie" in response.headers for response in responses) == 1
    for client in clients:
        await client.aclose()


async def test_a_link_lasts_15_minutes(site: Site, site_sql: asyncpg.Connection) -> None:
    token = await services_of(site.app).links.for_person(site.admin.email)
    lasts = "SELECT max(expires_at - created_at) = interval '15 minutes' FROM sign_in_tokens WHERE purpose = 'link'"
    assert await site_sql.fetchval(lasts)
    await site_sql.execute("UPDATE sign_in_tokens SET expires_at = now() WHERE purpose = 'link'")
    async with browser_of(site.app) as client:
        expired = await client.post("/sign-in/link", data={"token": token})
        assert (expired.status_code, "has expired" in words_of(expired.text)) == (422, True)
        assert (await client.post("/sign-in/link", data={"token": "guess"})).status_code == 422


@pytest.mark.parametrize("role", [Role.ADMIN, Role.AGENT])
async def test_an_agent_makes_no_link_for_agents_and_admins(site: Site, role: Role) -> None:
    other = await new_account(site.app, role)
    async with signed_in(site.app, await new_account(site.app)) as agent:
        for email in (other.email, other.email.upper(), "stranger@example.com", "nobody", ""):
            refused = await agent.post("/desk/sign-in-links", data={"email": email})
            assert (refused.status_code, "readonly" in refused.text) == (422, False), email


async def test_requesters_make_no_links(site: Site) -> None:
    account = await new_account(site.app, Role.REQUESTER)
    async with signed_in(site.app, account) as requester:
        for sent in (requester.get("/desk/sign-in-links"), requester.post("/desk/sign-in-links", data={"email": "x"})):
            assert (await sent).status_code == 403


async def test_a_link_of_a_deactivated_person_is_void(site: Site, site_sql: asyncpg.Connection) -> None:
    account = await new_account(site.app)
    token = await services_of(site.app).links.for_person(account.email)
    deactivate = "UPDATE principals SET active = false, deactivated_at = now() WHERE id = $1"
    await site_sql.execute(deactivate, account.id)
    async with browser_of(site.app) as client:
        assert (await client.post("/sign-in/link", data={"token": token})).status_code == 422


async def test_after_a_link_of_the_operator_the_password_can_be_replaced(site: Site) -> None:
    account = await new_account(site.app)
    token = await services_of(site.app).links.for_person(account.email)
    form = {"new_password": "one more password", "repeated": "one more password"}
    async with browser_of(site.app) as client:
        assert (await client.post("/sign-in/link", data={"token": token})).status_code == 303
        assert "present password" not in words_of((await client.get("/my/account")).text)
        assert (await client.post("/my/account/password", data=form)).status_code == 303


async def test_some_time_after_a_link_the_password_is_needed(site: Site, site_sql: asyncpg.Connection) -> None:
    account = await new_account(site.app)
    token = await services_of(site.app).links.for_person(account.email)
    form = {"new_password": "one more password", "repeated": "one more password"}
    async with browser_of(site.app) as client:
        await client.post("/sign-in/link", data={"token": token})
        later = "UPDATE person_sessions SET created_at = now() - interval '15 minutes' WHERE person_id = $1"
        await site_sql.execute(later, account.id)
        assert (await client.post("/my/account/password", data=form)).status_code == 422
        await site_sql.execute("DELETE FROM person_credentials WHERE person_id = $1", account.id)
        refused = await client.post("/my/account/password", data=form)
        assert (refused.status_code, "sign in again" in words_of(refused.text)) == (422, True)
