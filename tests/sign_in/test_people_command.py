"""The command for the sign-in of people, run in a process."""

import asyncio
import re
import subprocess

from sign_in.conftest import Site
from support.service_process import clean_environment, operator_command
from support.sign_in import browser_of, new_account, sign_in, signed_in


async def people(site: Site, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    environment = clean_environment(DATABASE_DSN=site.dsn, REDIS_HOST="127.0.0.1", PORT="8000")
    return await asyncio.to_thread(operator_command, "people.py", environment, *arguments, typed=typed)


async def test_a_link_signs_a_person_in(site: Site) -> None:
    made = await people(site, "sign-in-link", site.admin.email.upper())
    link = re.fullmatch(r"http://127\.0\.0\.1:8000(/sign-in/link\?token=([A-Za-z0-9_-]{43}))\n", made.stdout)
    assert link is not None, made.stderr
    async with browser_of(site.app) as client:
        assert (await client.get(link[1])).status_code == 200
        assert (await client.post("/sign-in/link", data={"token": link[2]})).status_code == 303
        assert (await client.get("/desk/tickets")).status_code == 200


async def test_a_password_is_read_from_the_standard_input_and_ends_the_sessions(site: Site) -> None:
    account = await new_account(site.app)
    async with signed_in(site.app, account) as client:
        done = await people(site, "set-password", account.email, typed="typed by the operator\n")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        site.app.state.sign_in.session_cache._cached.clear()  # noqa: SLF001 - instead of waiting ten seconds
        assert (await client.get("/desk/tickets")).status_code == 303
        assert (await sign_in(client, account)).status_code == 422
        assert (await sign_in(client, account, password="typed by the operator")).status_code == 303
    refused = await people(site, "set-password", account.email, typed="short\n")
    assert (refused.returncode, refused.stderr) == (1, "people: the password must have 12 to 256 characters\n")


async def test_sessions_are_listed_and_ended(site: Site) -> None:
    account = await new_account(site.app)
    async with signed_in(site.app, account, **{"User-Agent": "Browser \x1b[31m"}):
        listed = await people(site, "sessions", account.email)
        assert re.fullmatch(
            rf"\d+  {account.name} {account.email} by password: created .*Z, seen .*Z, ends .*Z, "
            r"from 127\.0\.0\.1 \(Browser \[31m\)\n",
            listed.stdout,
        ), listed
        number = listed.stdout.split()[0]
        assert listed.stdout in (await people(site, "sessions")).stdout
        assert (await people(site, "revoke", number)).returncode == 0
        assert (await people(site, "sessions", account.email)).stdout == ""
        again = await people(site, "revoke", number)
        assert (again.returncode, again.stderr) == (1, f"people: there is no session with the number {number}\n")


async def test_unknown_people_and_a_closed_set_up_are_named(site: Site) -> None:
    for command in ("sign-in-link", "set-password", "sessions"):
        done = await people(site, command, "nobody@example.com", typed="some long password\n")
        assert done.returncode == 1
        assert done.stderr == "people: no active person has the email address nobody@example.com\n"
    closed = await people(site, "set-up-link")
    assert (closed.returncode, "set up already" in closed.stderr) == (1, True)
    assert (await people(site)).returncode == 2


async def test_the_link_uses_public_url(site: Site) -> None:
    environment = clean_environment(
        DATABASE_DSN=site.dsn, REDIS_HOST="127.0.0.1", PUBLIC_URL="https://desk.example.com/help/"
    )
    made = await asyncio.to_thread(operator_command, "people.py", environment, "sign-in-link", site.admin.email)
    assert made.stdout.startswith("https://desk.example.com/help/sign-in/link?token=")
