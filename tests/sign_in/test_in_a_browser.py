"""The sign-in in a real browser, with scripts and without, under the policy of the pages."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from pyotp import TOTP

from contract.browser import Visit, visiting
from core.settings import Settings
from support.axe import violations
from support.service_process import ServiceProcess
from support.sign_in import PASSWORD


@pytest.fixture
async def fresh_service(fresh_settings: Settings, tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    """A service whose set-up is open."""
    async with ServiceProcess(tmp_path / "log", fresh_settings) as service:
        yield service


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
async def visit(
    request: pytest.FixtureRequest, fresh_service: ServiceProcess, chromium: Browser
) -> AsyncIterator[Visit]:
    """A page of a browser with scripts, and one without. It must reach no other host, and print no errors."""
    async with visiting(fresh_service.url, chromium, java_script_enabled=request.param) as visit:
        yield visit
        assert (visit.foreign_requests, visit.errors) == ([], [])


def token_in(service: ServiceProcess) -> str:
    """Return the token of the set-up, from its file."""
    return (Path(service.environment["DATA_DIR"]) / "set-up-token").read_text().strip()


async def set_up(page: Page, service: ServiceProcess, *, has_scripts: bool) -> None:
    """Follow the link of the terminal, and fill in the form."""
    token = token_in(service)
    await page.goto(f"{service.url}/set-up#{token}")
    field = page.get_by_label("Set-up code")
    if has_scripts:
        await expect(field).to_be_hidden()
        await expect(page).to_have_url(f"{service.url}/set-up")
    else:
        await field.fill(token)
    await page.get_by_label("Name").fill("Alice Liddell")
    await page.get_by_label("Email address").fill("alice@example.com")
    await page.get_by_label("Password, of at least").fill(PASSWORD)
    await page.get_by_label("The same password again").fill(PASSWORD)
    await page.get_by_role("button", name="Make it yours").click()


async def test_from_the_link_of_the_terminal_to_a_second_factor(
    visit: Visit, fresh_service: ServiceProcess, request: pytest.FixtureRequest
) -> None:
    page, url = visit.page, fresh_service.url
    await page.goto(f"{url}/desk")
    await expect(page.get_by_text("No sign-in yet")).to_be_visible()
    await set_up(page, fresh_service, has_scripts="no scripts" not in request.node.name)
    await expect(page).to_have_url(f"{url}/desk/tickets?status=open&status=awaiting_reply&sort=-updated_at")
    await page.get_by_role("link", name="Alice Liddell").click()
    section = page.locator("section", has=page.get_by_role("heading", name="Second factor"))
    await section.get_by_label("Your present password").fill(PASSWORD)
    await section.get_by_role("button", name="Set up an authenticator").click()
    box = await section.locator("svg").bounding_box()
    assert box is not None
    assert box["width"] == pytest.approx(box["height"])
    assert box["width"] > 150
    totp = TOTP((await section.locator("code").inner_text()).replace(" ", ""))
    await section.get_by_role("textbox", name="Code").fill(totp.at(int(time.time()) - 30))
    await section.get_by_role("button", name="Confirm").click()
    await expect(page.locator("main code")).to_have_count(10)
    await page.get_by_role("link", name="I have stored them").click()
    await page.get_by_role("button", name="Sign out").first.click()
    await page.goto(f"{url}/desk/keys")
    await page.get_by_label("Email address").fill("alice@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_label("The code of your authenticator").fill(totp.now())
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(f"{url}/desk/keys")


async def test_the_text_of_a_form_survives_the_end_of_the_session(
    visit: Visit, fresh_service: ServiceProcess, request: pytest.FixtureRequest
) -> None:
    page, url = visit.page, fresh_service.url
    await set_up(page, fresh_service, has_scripts="no scripts" not in request.node.name)
    await page.goto(f"{url}/desk/tickets/new")
    await page.get_by_label("Email address of the requester").fill("carol@example.com")
    await page.get_by_label("Subject").fill("Typed for a long time")
    await page.get_by_label("Text").fill("First line\n\nLast line")
    await page.context.clear_cookies()
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_text("Nothing is lost.")).to_be_visible()
    await page.get_by_label("Email address").fill("alice@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("First line")).to_be_visible()
    await page.get_by_role("button", name="Send it now").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Typed for a long time")
    await expect(page.locator(".text", has_text="First line")).to_have_text("First line\n\nLast line")
    # The refused form, which the browser reports as an error.
    visit.errors[:] = [error for error in visit.errors if "401" not in error]


@pytest.mark.parametrize("language", ["en-GB", "ru-RU"])
async def test_axe_finds_nothing_and_no_page_is_wider_than_a_phone(
    fresh_service: ServiceProcess, chromium: Browser, language: str
) -> None:
    found: dict[tuple[str, str, str], str] = {}
    async with visiting(fresh_service.url, chromium, locale=language) as visit:
        page = visit.page
        await page.set_viewport_size({"width": 320, "height": 900})

        async def press(button: str) -> None:
            async with page.expect_navigation():
                await page.locator(button).click()

        async def inspect(name: str) -> None:
            found.update(await violations(page, name))
            if await page.evaluate("document.documentElement.scrollWidth") > 320:
                found[name, "width", ""] = "more than 320"

        await page.goto(f"{fresh_service.url}/set-up")
        await inspect("set-up")
        for name, value in {
            "token": token_in(fresh_service),
            "name": "Alice",
            "email": "alice@example.com",
            "password": PASSWORD,
            "repeated": PASSWORD,
        }.items():
            await page.locator(f"input[name={name}]").fill(value)
        await press("button[type=submit].main")
        await page.goto(f"{fresh_service.url}/my/account")
        await inspect("account")
        await page.locator("form[action$=second-factor] input[name=password]").fill(PASSWORD)
        await press("form[action$=second-factor] button")
        await inspect("second factor")
        totp = TOTP((await page.locator("section code").inner_text()).replace(" ", ""))
        await page.locator("input[name=code]").fill(totp.now())
        await press("form[action$=confirmation] button")
        await inspect("recovery codes")
        await page.goto(f"{fresh_service.url}/desk/sign-in-links?email=alice@example.com")
        await press("main button")
        await inspect("sign-in links")
        await page.context.clear_cookies()
        for path in ("/desk/tickets", "/sign-in/link?token=x", "/my/account"):
            await page.goto(f"{fresh_service.url}{path}")
            await inspect(path)
        await page.locator("input[name=email]").fill("alice@example.com")
        await page.locator("input[name=password]").fill("a wrong password")
        await press("main button")
        await inspect("refused")
        await page.locator("input[name=password]").fill(PASSWORD)
        await press("main button")
        await inspect("code")
        assert visit.foreign_requests == []
    assert found == {}
