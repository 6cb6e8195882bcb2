"""Second factors: codes of an authenticator are used once, and recovery codes stand in for them."""

import asyncio
import re
import time
from dataclasses import dataclass

import asyncpg
import httpx2
import pytest
from pyotp import TOTP

from core.rate import Rate
from services.access.failed_authentications import FailedAuthentications
from services.sign_in.attempts import SignInAttempts
from sign_in.conftest import Site
from support.desk_pages import words_of
from support.sign_in import PASSWORD, Account, browser_of, field, new_account, services_of, sign_in, signed_in


@dataclass(frozen=True)
class Enrolled:
    """A person with a second factor."""

    account: Account
    totp: TOTP
    recovery_codes: list[str]

    def code(self) -> str:
        """Return the present code."""
        return self.totp.now()


@pytest.fixture
async def enrolled(site: Site) -> Enrolled:
    account = await new_account(site.app)
    async with signed_in(site.app, account) as client:
        assert (await client.post("/my/account/second-factor", data={"password": PASSWORD})).status_code == 303
        page = (await client.get("/my/account")).text
        assert 'role="img" aria-label="QR code of the secret"><svg' in page
        secret = re.search(r"Secret: <code>([A-Z2-7 ]+)</code>", page)
        assert secret is not None
        totp = TOTP(secret[1].replace(" ", ""))
        # The code before the present one, so that the present one can still be used.
        confirmed = await client.post(
            "/my/account/second-factor/confirmation", data={"code": totp.at(int(time.time()) - 30)}
        )
        codes = re.findall(r"<code>([a-z2-9-]{19})</code>", confirmed.text)
        assert (confirmed.status_code, len(set(codes))) == (200, 10)
        assert "10 recovery codes are left" in words_of((await client.get("/my/account")).text)
        assert secret[1] not in (await client.get("/my/account")).text
    return Enrolled(account, totp, codes)


async def step_of(client: httpx2.AsyncClient, account: Account) -> dict[str, str]:
    """Give the password, and return the fields of the form for the second factor."""
    response = await sign_in(client, account, next="/desk/keys")
    assert (response.status_code, "set-cookie" in response.headers) == (200, False)
    return {name: field(response.text, name) for name in ("step", "next")}


async def test_the_password_alone_begins_no_session(site: Site, enrolled: Enrolled) -> None:
    async with browser_of(site.app) as client:
        form = await step_of(client, enrolled.account)
        assert (await client.get("/desk/tickets")).status_code == 303
        wrong = await client.post("/sign-in/code", data=form | {"code": "000000"})
        assert (wrong.status_code, "code is wrong" in words_of(wrong.text)) == (422, True)
        right = await client.post(
            "/sign-in/code", data=form | {"code": f" {enrolled.code()[:3]} {enrolled.code()[3:]}"}
        )
        assert (right.status_code, right.headers["Location"]) == (303, "../desk/keys")
        assert (await client.get("/desk/tickets")).status_code == 200


async def test_a_code_is_used_once(site: Site, enrolled: Enrolled) -> None:
    code = enrolled.code()
    async with browser_of(site.app) as client, browser_of(site.app) as observer:
        first, second = await step_of(client, enrolled.account), await step_of(observer, enrolled.account)
        responses = await asyncio.gather(
            client.post("/sign-in/code", data=first | {"code": code}),
            observer.post("/sign-in/code", data=second | {"code": code}),
        )
        assert sorted(response.status_code for response in responses) == [303, 422]


async def test_a_step_is_used_once(site: Site, enrolled: Enrolled) -> None:
    async with browser_of(site.app) as client:
        form = await step_of(client, enrolled.account)
        assert (await client.post("/sign-in/code", data=form | {"code": enrolled.code()})).status_code == 303
        again = await client.post("/sign-in/code", data=form | {"code": enrolled.recovery_codes[0]})
        assert (again.status_code, "Begin again" in words_of(again.text)) == (422, True)


async def test_a_step_expires(site: Site, enrolled: Enrolled, site_sql: asyncpg.Connection) -> None:
    async with browser_of(site.app) as client:
        form = await step_of(client, enrolled.account)
        end = "UPDATE sign_in_tokens SET expires_at = now() WHERE person_id = $1"
        await site_sql.execute(end, enrolled.account.id)
        assert (await client.post("/sign-in/code", data=form | {"code": enrolled.code()})).status_code == 422


async def test_a_recovery_code_is_used_once(site: Site, enrolled: Enrolled) -> None:
    code = enrolled.recovery_codes[3].upper().replace("-", " ")
    async with browser_of(site.app) as client:
        for expected in (303, 422):
            form = await step_of(client, enrolled.account)
            assert (await client.post("/sign-in/code", data=form | {"code": code})).status_code == expected
        # The session of the first sign-in.
        assert "9 recovery codes are left" in words_of((await client.get("/my/account")).text)


@pytest.mark.parametrize("is_concurrent", [False, True])
async def test_guesses_of_codes_are_limited(
    site: Site, enrolled: Enrolled, monkeypatch: pytest.MonkeyPatch, is_concurrent: bool
) -> None:
    rate = Rate(3, 60)
    attempts = SignInAttempts(FailedAuthentications(rate), rate)
    monkeypatch.setattr(services_of(site.app).passwords, "_attempts", attempts)
    clients = [browser_of(site.app, address=f"203.0.113.{number}") for number in range(8)]
    form = await step_of(clients[0], enrolled.account)

    async def guess(client: httpx2.AsyncClient) -> int:
        return (await client.post("/sign-in/code", data=form | {"code": "000000"})).status_code

    if is_concurrent:
        statuses = await asyncio.gather(*map(guess, clients))
    else:
        statuses = [await guess(client) for client in clients]
    assert sorted(statuses) == [422] * 3 + [429] * 5
    assert (await clients[7].post("/sign-in/code", data=form | {"code": enrolled.code()})).status_code == 429
    for client in clients:
        await client.aclose()


async def test_the_second_factor_is_removed_with_the_password(site: Site, enrolled: Enrolled) -> None:
    async with browser_of(site.app) as client:
        form = await step_of(client, enrolled.account)
        assert (await client.post("/sign-in/code", data=form | {"code": enrolled.code()})).status_code == 303
        removal = "/my/account/second-factor/removal"
        assert (await client.post(removal, data={"password": "a guess"})).status_code == 422
        renewed = await client.post("/my/account/recovery-codes", data={"password": PASSWORD})
        assert set(re.findall(r"<code>([a-z2-9-]{19})</code>", renewed.text)).isdisjoint(enrolled.recovery_codes)
        assert (await client.post(removal, data={"password": PASSWORD})).status_code == 303
        assert (await sign_in(client, enrolled.account)).status_code == 303


async def test_a_second_factor_that_was_not_confirmed_is_not_required(site: Site) -> None:
    account = await new_account(site.app)
    async with signed_in(site.app, account) as client:
        await client.post("/my/account/second-factor", data={"password": PASSWORD})
        confirmation = "/my/account/second-factor/confirmation"
        assert (await client.post(confirmation, data={"code": "000000"})).status_code == 422
        assert (await sign_in(client, account)).status_code == 303


async def test_the_secret_is_stored_sealed(enrolled: Enrolled, site_sql: asyncpg.Connection) -> None:
    stored = await site_sql.fetchval(
        "SELECT totp_secret FROM person_credentials WHERE person_id = $1", enrolled.account.id
    )
    assert enrolled.totp.secret.encode() not in stored
    codes = await site_sql.fetch("SELECT code_hash FROM recovery_codes WHERE person_id = $1", enrolled.account.id)
    assert {len(row["code_hash"]) for row in codes} == {32}
