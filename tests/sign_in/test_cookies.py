"""Cookies open pages only, and are sent to this service only; keys and tokens open no page."""

import secrets

import pytest

from core.settings import Settings
from models import Role
from sign_in.conftest import Site
from support.desk_pages import words_of
from support.factories import running
from support.sign_in import Account, browser_of, new_account, services_of, sign_in, signed_in

LASTS = "Max-Age=7776000; Path=/; SameSite=lax"


@pytest.mark.parametrize(
    ("url", "name", "secure"),
    [
        ("http://localhost:8000", "session", ""),
        ("http://127.0.0.1:8000", "session", ""),
        ("http://[::1]:8000", "session", ""),
        ("https://desk.example.com", "__Host-session", "; Secure"),
        ("https://localhost:8000", "__Host-session", "; Secure"),
    ],
)
async def test_the_cookie_is_for_this_host_and_no_script(site: Site, url: str, name: str, secure: str) -> None:
    async with browser_of(site.app, url) as client:
        response = await sign_in(client, site.admin)
        (cookie,) = response.headers.get_list("Set-Cookie")
        assert cookie == f"{name}={client.cookies[name]}; HttpOnly; {LASTS}{secure}"
        assert (await client.get("/desk/tickets")).status_code == 200
        assert len(client.cookies[name]) == 43


async def test_over_https_a_cookie_by_another_name_is_ignored(site: Site) -> None:
    async with signed_in(site.app, site.admin) as client, browser_of(site.app, "https://desk.example.com") as other:
        other.cookies.set("session", client.cookies["session"])
        assert (await other.get("/desk/tickets")).status_code == 303


async def test_nobody_signs_in_over_http_on_the_network(site: Site) -> None:
    link = await services_of(site.app).links.for_person(site.admin.email)
    async with browser_of(site.app, "http://desk.example.com") as client:
        page = await client.get("/sign-in")
        assert ("over https only" in words_of(page.text), 'name="password"' in page.text) == (True, False)
        refused = await sign_in(client, site.admin)
        assert (refused.status_code, "Set-Cookie" in refused.headers) == (403, False)
        refused = await client.post("/sign-in/link", data={"token": link})
        assert ("over https only" in words_of(refused.text), "Set-Cookie" in refused.headers) == (True, False)
    async with browser_of(site.app) as client:  # the link was not used up
        assert (await client.post("/sign-in/link", data={"token": link})).status_code == 303


async def test_behind_a_proxy_public_url_says_that_people_use_https(fresh_settings: Settings) -> None:
    settings = fresh_settings.model_copy(update={"public_url": "https://desk.example.com"})
    async with running(settings) as (app, _):
        account = await new_account(app, Role.ADMIN)
        async with browser_of(app, "http://desk.example.com") as client:
            response = await sign_in(client, account)
            assert response.headers["Set-Cookie"].startswith("__Host-session=")
            assert response.headers["Set-Cookie"].endswith("; Secure")


async def test_the_api_takes_no_cookie(site: Site) -> None:
    async with signed_in(site.app, site.admin) as client:
        for path in ("/tickets", "/me", "/metrics", "/events", "/people"):
            assert (await client.get(path)).status_code == 401
        assert (await client.post("/tickets", json={})).status_code == 401


async def test_pages_take_no_key(site: Site) -> None:
    key, _ = await site.app.state.keys._keys.create(secrets.token_hex(4), Role.ADMIN)  # noqa: SLF001 - without HTTP
    async with browser_of(site.app, Authorization=f"Bearer {key}") as client:
        assert (await client.get("/tickets")).status_code == 200
        for path in ("/desk/tickets", "/my/account"):
            assert (await client.get(path)).status_code == 303
        assert (await client.post("/desk/tickets", data={})).status_code == 401


@pytest.mark.parametrize("value", ["", "x", "A" * 43, "A" * 4000, '"quoted"', "\u00e9"])
async def test_a_made_up_cookie_is_no_session(site: Site, value: str) -> None:
    async with browser_of(site.app) as client:
        response = await client.get("/desk/tickets", headers={b"Cookie": f"session={value}".encode()})
        assert response.status_code == 303


async def test_scripts_without_a_session_get_a_problem_in_place_of_a_redirect(site: Site) -> None:
    async with browser_of(site.app) as client:
        headers = {"Sec-Fetch-Mode": "cors", "HX-Request": "true"}
        page = await client.get("/desk/tickets", headers=headers)
        assert (page.status_code, "Sign in first" in words_of(page.text)) == (401, True)
        assert (await client.post("/desk/tickets", data={"text": "x"}, headers=headers)).status_code == 401
        stream = await client.get("/desk/events", headers=headers)
        assert (stream.status_code, stream.headers["Content-Type"]) == (401, "application/problem+json")


async def test_pages_are_stored_by_no_cache(site: Site) -> None:
    async with signed_in(site.app, site.admin) as client:
        for path in ("/my/account", "/sign-in", "/desk/tickets"):
            assert (await client.get(path)).headers["Cache-Control"] == "no-store", path


async def test_while_the_door_is_open_a_session_counts_and_any_other_cookie_does_not(fresh_settings: Settings) -> None:
    async with running(fresh_settings) as (app, _):
        account: Account = await new_account(app, Role.AGENT)
        async with signed_in(app, account) as client:
            assert account.name in words_of((await client.get("/desk/tickets")).text)
        async with browser_of(app) as client:
            client.cookies.set("session", "A" * 43)
            page = await client.get("/desk/tickets")
            assert (page.status_code, "No sign-in yet" in words_of(page.text)) == (200, True)
            assert (await client.get("/my/account")).status_code == 401
