"""Forms of other sites are refused: with a session, without one, and while the service is open to its machine."""

import httpx2
import pytest

from core.settings import Settings
from sign_in.conftest import Site
from support.desk_pages import words_of
from support.factories import running
from support.sign_in import browser_of, signed_in

FORMS = (
    "/desk/tickets",
    "/my/sign-out",
    "/my/account/password",
    "/sign-in",
    "/sign-in/link",
    "/sign-in/code",
    "/set-up",
)
ALLOWED: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://localhost:8000"},
    {"Origin": "https://LOCALHOST:8000"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
]
REFUSED: list[dict[str, str]] = [
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8000"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://localhost"},
    {"Origin": "http://localhost:8001"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://localhost:8000.evil.example"},
    {"Origin": "http://user@localhost:8000"},
    {"Origin": "http://["},
    {"Referer": "http://localhost:8000/desk"},
]


async def post(
    client: httpx2.AsyncClient, path: str, headers: dict[str, str], form: dict[str, str] | None = None
) -> httpx2.Response:
    """Send a form with these headers about its origin, and no others."""
    for name in ("Sec-Fetch-Site", "Sec-Fetch-Mode"):
        client.headers.pop(name, None)
    return await client.post(path, data=form or {"email": "nobody@example.com"}, headers=headers)


@pytest.mark.parametrize("headers", REFUSED, ids=str)
@pytest.mark.parametrize("path", FORMS)
async def test_a_form_of_another_site_is_refused(site: Site, path: str, headers: dict[str, str]) -> None:
    async with browser_of(site.app) as client:
        response = await post(client, path, headers)
        assert (response.status_code, "Permission denied" in words_of(response.text)) == (403, True)
        assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("headers", ALLOWED, ids=str)
async def test_a_form_of_a_page_of_the_service_is_accepted(site: Site, headers: dict[str, str]) -> None:
    async with browser_of(site.app) as client:
        assert (await post(client, "/sign-in", headers)).status_code == 422
        assert (await post(client, "/desk/tickets", headers)).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_with_a_session_every_unsafe_method_is_checked(site: Site, method: str) -> None:
    async with signed_in(site.app, site.admin) as client:
        evil = {"Sec-Fetch-Site": "cross-site"}
        assert (await client.request(method, "/my/sign-out", headers=evil)).status_code == 403
        assert (await client.get("/desk/tickets", headers=evil)).status_code == 200


async def test_while_the_door_is_open_a_form_of_another_site_is_refused(fresh_settings: Settings) -> None:
    form = {"subject": "Made by another site", "text": "Hello", "email": "mallory@example.com"}
    async with running(fresh_settings) as (app, _), browser_of(app) as client:
        for headers in REFUSED:
            assert (await post(client, "/desk/tickets", headers, form)).status_code == 403
        assert (await client.get("/tickets")).json()["items"] == []
        # Under the name of another site that leads to this machine (DNS rebinding), the origin is the same.
        async with browser_of(app, "http://evil.example:8000") as rebound:
            assert (await rebound.post("/desk/tickets", data=form)).status_code == 421
            assert (await rebound.get("/desk/tickets")).status_code == 421
