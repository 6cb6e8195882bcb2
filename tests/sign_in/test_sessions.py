"""Sessions: listed, ended, expired, and trusted for a few seconds only."""

from collections.abc import AsyncIterator

import asyncpg
import httpx2
import pytest
from fastapi import Request

from core.errors import Unauthenticated
from desk.viewer import access_of
from models import Role
from schemas.people import PersonPatch
from services.access.principal import LOCAL_ADMIN
from services.sign_in import maintenance, session_cache
from sign_in.conftest import Site
from support.desk_pages import words_of
from support.sign_in import PASSWORD, Account, browser_of, new_account, services_of, sign_in, signed_in


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look every session up at each request, as after ten seconds."""
    monkeypatch.setattr(session_cache, "FRESH_FOR_S", 0)
    monkeypatch.setattr(session_cache, "TRUSTED_FOR_S", 0)


@pytest.fixture
async def account(site: Site) -> Account:
    return await new_account(site.app)


@pytest.fixture
async def client(site: Site, account: Account) -> AsyncIterator[httpx2.AsyncClient]:
    async with signed_in(site.app, account, **{"User-Agent": "Browser A"}) as client:
        yield client


async def is_in(client: httpx2.AsyncClient) -> bool:
    return (await client.get("/desk/tickets")).status_code == 200


async def test_the_account_lists_the_sessions_of_the_person_alone(
    site: Site, account: Account, client: httpx2.AsyncClient
) -> None:
    async with signed_in(site.app, account, **{"User-Agent": "Browser B <script>"}):
        page = (await client.get("/my/account")).text
        assert "This session · Browser A" in words_of(page)
        assert "Browser B <script>" in words_of(page.replace("&lt;", "&amp;lt;")).replace("&lt;", "<").replace(
            "&gt;", ">"
        )
        assert "<script>" not in page.split("<body>")[1]
        assert page.count('action="../my/account/sessions/') == 3


async def test_a_person_ends_a_session_at_once_but_none_of_another_person(
    site: Site, account: Account, client: httpx2.AsyncClient, site_sql: asyncpg.Connection
) -> None:
    newest = "SELECT max(id) FROM person_sessions WHERE person_id = $1"
    async with signed_in(site.app, account) as other, signed_in(site.app, site.admin) as admin:
        number = await site_sql.fetchval(newest, account.id)
        foreign = await site_sql.fetchval(newest, site.admin.id)
        for each in (number, foreign, number):
            assert (await client.post(f"/my/account/sessions/{each}")).status_code == 303
        assert [await is_in(each) for each in (client, other, admin)] == [True, False, True]


async def test_all_other_sessions_end_together(site: Site, account: Account, client: httpx2.AsyncClient) -> None:
    async with signed_in(site.app, account) as second, signed_in(site.app, account) as third:
        assert (await client.post("/my/account/sessions/others")).status_code == 303
        assert [await is_in(each) for each in (client, second, third)] == [True, False, False]


async def test_sign_out_ends_the_session_and_clears_the_cookie(client: httpx2.AsyncClient) -> None:
    token = client.cookies["session"]
    response = await client.post("/my/sign-out")
    assert (response.status_code, response.headers["Location"]) == (303, "../sign-in")
    assert "session" not in client.cookies
    client.cookies.set("session", token)
    assert not await is_in(client)


@pytest.mark.usefixtures("no_memory")
async def test_a_deactivated_person_loses_the_sessions_for_good(
    site: Site, account: Account, client: httpx2.AsyncClient
) -> None:
    assert await is_in(client)
    await site.app.state.people.change(account.id, PersonPatch(active=False), LOCAL_ADMIN)
    assert not await is_in(client)
    await site.app.state.people.change(account.id, PersonPatch(active=True), LOCAL_ADMIN)
    assert not await is_in(client)


async def test_an_ended_session_is_trusted_for_ten_seconds_at_most(
    site: Site,
    account: Account,
    client: httpx2.AsyncClient,
    site_sql: asyncpg.Connection,
) -> None:
    assert await is_in(client)
    # Behind the back of this process, as another one does.
    await site_sql.execute("DELETE FROM person_sessions WHERE person_id = $1", account.id)
    assert session_cache.TRUSTED_FOR_S < 10
    for cached in services_of(site.app).session_cache._cached.values():  # noqa: SLF001 - instead of waiting
        cached.loaded_at -= session_cache.FRESH_FOR_S
    assert not await is_in(client)


@pytest.mark.usefixtures("no_memory")
@pytest.mark.parametrize("end", ["expires_at = now()", "seen_at = now() - interval '14 days'"])
async def test_a_session_ends_by_itself(
    account: Account, client: httpx2.AsyncClient, site_sql: asyncpg.Connection, end: str
) -> None:
    await site_sql.execute(f"UPDATE person_sessions SET {end} WHERE person_id = $1", account.id)
    assert not await is_in(client)


@pytest.mark.usefixtures("no_memory")
async def test_a_session_lasts_as_long_as_it_is_used_but_not_longer_than_90_days(
    account: Account, client: httpx2.AsyncClient, site_sql: asyncpg.Connection
) -> None:
    lasts = "SELECT (expires_at - created_at) = interval '90 days' FROM person_sessions WHERE person_id = $1"
    assert await site_sql.fetchval(lasts, account.id)
    back = "UPDATE person_sessions SET seen_at = now() - interval '13 days' WHERE person_id = $1"
    await site_sql.execute(back, account.id)
    assert await is_in(client)
    seen = "SELECT now() - seen_at < interval '1 minute' FROM person_sessions WHERE person_id = $1"
    assert await site_sql.fetchval(seen, account.id)


@pytest.mark.usefixtures("client")
async def test_ended_sessions_and_expired_tokens_are_deleted(
    site: Site, account: Account, site_sql: asyncpg.Connection
) -> None:
    database = site.app.state.people._database  # noqa: SLF001 - the pool of the service
    await services_of(site.app).links.for_person(account.email)
    await maintenance.purge(database)
    await site_sql.execute("UPDATE person_sessions SET expires_at = now() WHERE person_id = $1", account.id)
    await site_sql.execute("UPDATE sign_in_tokens SET expires_at = now() WHERE person_id = $1", account.id)
    assert await maintenance.purge(database) == 2


@pytest.mark.usefixtures("no_memory")
async def test_a_role_that_changes_applies_to_sessions(
    site: Site, account: Account, client: httpx2.AsyncClient
) -> None:
    await site.app.state.people.change(account.id, PersonPatch(role=Role.REQUESTER), LOCAL_ADMIN)
    assert (await client.get("/desk/tickets")).status_code == 403
    home = await client.get("/my")
    assert (home.status_code, home.headers["Location"]) == (303, "./my/tickets")
    assert (await client.get("/my/account")).status_code == 200


async def test_a_new_password_ends_the_other_sessions(site: Site, account: Account, client: httpx2.AsyncClient) -> None:
    form = {"new_password": "another password", "repeated": "another password"}
    async with signed_in(site.app, account) as other:
        wrong = await client.post("/my/account/password", data=form | {"password": "a guess"})
        assert (wrong.status_code, await is_in(other)) == (422, True)
        changed = await client.post("/my/account/password", data=form | {"password": PASSWORD})
        assert (changed.status_code, await is_in(client), await is_in(other)) == (303, True, False)
    async with browser_of(site.app) as fresh:
        assert (await sign_in(fresh, account)).status_code == 422
        assert (await sign_in(fresh, account, password="another password")).status_code == 303


async def test_made_up_sessions_cost_one_query_at_a_time(site: Site) -> None:
    cache = services_of(site.app).session_cache
    assert await cache.find("not a token") is None
    assert await cache.find("A" * 43) is None


async def test_an_open_stream_follows_the_session(site: Site, account: Account, client: httpx2.AsyncClient) -> None:
    cookie = f"session={client.cookies['session']}".encode()
    headers = [(b"host", b"localhost:8000"), (b"cookie", cookie)]
    access = access_of(Request({"type": "http", "scheme": "http", "app": site.app, "headers": headers}))
    assert (await access.check()).id == account.id
    assert (await client.post("/my/sign-out")).status_code == 303
    with pytest.raises(Unauthenticated):
        await access.check()
