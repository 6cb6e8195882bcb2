"""Sign-in with a password: the session, the answers to wrong ones, and the limits of failures."""

import asyncio

import asyncpg
import pytest

from core.rate import Rate
from core.settings import Settings
from core.sign_in_errors import Refusal
from desk.sign_in_words import REFUSALS
from models import Role
from schemas.people import PersonPatch
from services.access.failed_authentications import FailedAuthentications
from services.access.principal import LOCAL_ADMIN
from services.sign_in import password_hashes
from services.sign_in.attempts import SignInAttempts
from sign_in.conftest import Site
from support.desk_pages import words_of
from support.factories import running
from support.sign_in import Account, browser_of, new_account, services_of, sign_in, signed_in

WRONG = REFUSALS[Refusal.WRONG_PASSWORD]


@pytest.fixture
def strict_limit(site: Site, monkeypatch: pytest.MonkeyPatch) -> Rate:
    """Three failures a minute, of an address and of an account."""
    rate = Rate(3, 60)
    attempts = SignInAttempts(FailedAuthentications(rate), rate)
    monkeypatch.setattr(services_of(site.app).passwords, "_attempts", attempts)
    return rate


async def test_a_password_begins_a_session(site: Site) -> None:
    account = await new_account(site.app)
    async with browser_of(site.app) as client:
        response = await client.get("/desk/tickets?status=open")
        assert (response.status_code, response.headers["Location"]) == (
            303,
            "../sign-in?next=/desk/tickets%3Fstatus%3Dopen",
        )
        response = await sign_in(client, account, next="/desk/tickets?status=open")
        assert (response.status_code, response.headers["Location"]) == (303, "./desk/tickets?status=open")
        page = await client.get("/desk/tickets")
        assert (page.status_code, account.name in words_of(page.text)) == (200, True)


async def test_a_wrong_password_and_an_unknown_account_get_the_same_response(site: Site) -> None:
    account = await new_account(site.app)
    unknown = Account("", "", "nobody@example.com", account.password)
    wrong = Account("", "", account.email, "a wrong password")
    async with browser_of(site.app) as client:
        responses = [await sign_in(client, each) for each in (unknown, wrong)]
    for response in responses:
        assert (response.status_code, WRONG in words_of(response.text)) == (422, True)
        assert "Set-Cookie" not in response.headers
    # All but the address that was typed, and the time that the page took.
    first, second = (response.text.split("<footer")[0] for response in responses)
    assert first.replace(unknown.email, "") == second.replace(wrong.email, "")


async def test_an_unknown_account_costs_as_much_as_a_wrong_password(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    verify = password_hashes._verify  # noqa: SLF001 - the time of it is what matters

    def counting(password_hash: str, password: str) -> bool:
        verified.append(password_hash)
        return verify(password_hash, password)

    monkeypatch.setattr(password_hashes, "_verify", counting)
    async with browser_of(site.app) as client:
        for email in ("nobody@example.com", site.admin.email):
            await sign_in(client, Account("", "", email, "a wrong password"))
    parameters = {each.rsplit("$", 2)[0] for each in verified}
    assert (len(verified), parameters) == (2, {"$argon2id$v=19$m=19456,t=2,p=1"})


async def test_an_account_is_refused_after_too_many_failures_from_any_address(site: Site, strict_limit: Rate) -> None:
    account, other = await new_account(site.app), await new_account(site.app)
    for number in range(strict_limit.quota):
        async with browser_of(site.app, address=f"203.0.113.{number}") as client:
            response = await sign_in(client, Account("", "", account.email.upper(), "a wrong password"))
            assert response.status_code == 422
    async with browser_of(site.app, address="203.0.113.99") as client:
        refused = await sign_in(client, account)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "20")
        assert (await sign_in(client, other)).status_code == 303


async def test_an_address_is_refused_after_too_many_failures_of_any_account(site: Site, strict_limit: Rate) -> None:
    account = await new_account(site.app)
    async with browser_of(site.app, address="203.0.113.7") as client:
        for number in range(strict_limit.quota):
            assert (await sign_in(client, Account("", "", f"{number}@example.com", "guess"))).status_code == 422
        assert (await sign_in(client, account)).status_code == 429
    async with browser_of(site.app, address="203.0.113.8") as client:
        assert (await sign_in(client, account)).status_code == 303


async def test_concurrent_guesses_do_not_pass_the_limit(site: Site, strict_limit: Rate) -> None:
    account = await new_account(site.app)
    clients = [browser_of(site.app, address=f"198.51.100.{number}") for number in range(20)]
    wrong = Account("", "", account.email, "a wrong password")
    statuses = [response.status_code for response in await asyncio.gather(*(sign_in(each, wrong) for each in clients))]
    for client in clients:
        await client.aclose()
    # Two passwords are verified at a time.
    assert statuses.count(422) <= strict_limit.quota + 1
    assert set(statuses) == {422, 429}


async def test_failures_count_together_with_those_of_api_keys(fresh_settings: Settings) -> None:
    settings = fresh_settings.model_copy(update={"auth_failure_limit": Rate(3, 60)})
    async with running(settings) as (app, _):
        account = await new_account(app, Role.ADMIN)
        async with browser_of(app, address="203.0.113.9") as client:
            for _ in range(2):
                assert (await sign_in(client, Account("", "", account.email, "wrong"))).status_code == 422
            assert (await client.get("/tickets", headers={"Authorization": "Bearer tk_x"})).status_code == 401
            assert (await client.get("/tickets", headers={"Authorization": "Bearer tk_x"})).status_code == 429
            assert (await sign_in(client, account)).status_code == 429


async def test_a_deactivated_person_cannot_sign_in(site: Site) -> None:
    account = await new_account(site.app)
    await site.app.state.people.change(account.id, PersonPatch(active=False), LOCAL_ADMIN)
    async with browser_of(site.app) as client:
        response = await sign_in(client, account)
    assert (response.status_code, WRONG in words_of(response.text)) == (422, True)


async def test_the_sign_in_renews_the_session_of_the_browser(site: Site, site_sql: asyncpg.Connection) -> None:
    account = await new_account(site.app)
    async with signed_in(site.app, account) as client:
        first = client.cookies["session"]
        assert (await sign_in(client, account)).status_code == 303
        assert client.cookies["session"] != first
    count = "SELECT count(*) FROM person_sessions WHERE person_id = $1"
    assert await site_sql.fetchval(count, account.id) == 1


async def test_only_hashes_are_stored(site: Site, site_sql: asyncpg.Connection) -> None:
    account = await new_account(site.app)
    async with signed_in(site.app, account) as client:
        token = client.cookies["session"]
    rows = await site_sql.fetch("SELECT * FROM person_sessions WHERE person_id = $1", account.id)
    rows += await site_sql.fetch("SELECT * FROM person_credentials WHERE person_id = $1", account.id)
    assert len(rows) == 2
    for secret in (token, account.password):
        assert secret not in str([dict(row) for row in rows])
        assert secret.encode() not in b"".join(
            value for row in rows for value in row.values() if isinstance(value, bytes)
        )


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/desk/../tickets",
        "/tickets",
        "javascript:alert(1)",
        "/desk//evil.example",
        "/sign-in",
        "",
        "/desk\n",
    ],
)
async def test_only_pages_of_the_service_follow_the_sign_in(site: Site, target: str) -> None:
    async with browser_of(site.app) as client:
        response = await sign_in(client, site.admin, next=target)
    assert (response.status_code, response.headers["Location"]) == (303, "./my")
