"""Two agents at one ticket, each in a browser of their own, and a service that is restarted under them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from contract.browser import Visit, visiting
from core.settings import Settings
from support.desk_pages import JSON
from support.factories import a_ticket
from support.service_process import ServiceProcess


@pytest.fixture
async def other_visit(desk_service: ServiceProcess, chromium: Browser) -> AsyncIterator[Visit]:
    async with visiting(desk_service.url, chromium) as visit:
        yield visit


async def at_ticket(page: Page, service: ServiceProcess, ticket: JSON, name: str) -> None:
    await page.goto(f"{service.url}/desk/tickets/{ticket['id']}")
    await page.locator("html[data-ready]").wait_for(state="attached")
    await page.get_by_label("Your email address").fill(f"{name}@example.com")


async def test_of_two_replies_at_once_the_second_is_shown_the_first(
    visit: Visit, other_visit: Visit, desk_service: ServiceProcess
) -> None:
    ticket = desk_service.request("POST", "/tickets", a_ticket()).json()
    path = f"/tickets/{ticket['id']}"
    for tab, name in ((visit.page, "alice"), (other_visit.page, "bob")):
        await at_ticket(tab, desk_service, ticket, name)
        await tab.get_by_role("textbox", name="Text").fill(f"{name} answers")
    await visit.page.keyboard.press("Control+Enter")
    await expect(visit.page.get_by_role("article").last).to_contain_text("alice answers")
    second = other_visit.page
    await expect(second.get_by_role("article").last).to_contain_text("alice answers")
    await expect(second.locator("#unseen")).to_be_visible()
    await second.get_by_role("textbox", name="Text").focus()
    await second.keyboard.press("Control+Enter")
    await expect(second.get_by_role("heading", name="Not sent yet")).to_be_visible()
    await expect(second.get_by_role("article").last).to_contain_text("alice answers")
    await expect(second.get_by_role("textbox", name="Text")).to_have_value("bob answers")
    assert len(desk_service.request("GET", path).json()["comments"]) == 1
    await second.get_by_role("button", name="Send", exact=True).click()
    await expect(second.get_by_role("article").last).to_contain_text("bob answers")
    assert len(desk_service.request("GET", path).json()["comments"]) == 2


async def test_a_restart_of_the_service_costs_no_word(settings: Settings, tmp_path: Path, chromium: Browser) -> None:
    with ServiceProcess(tmp_path / "log", settings) as service:
        ticket = service.request("POST", "/tickets", a_ticket()).json()
        async with visiting(service.url, chromium) as visit:
            page = visit.page
            await at_ticket(page, service, ticket, "alice")
            text = page.get_by_role("textbox", name="Text")
            await text.press_sequentially("Before, ")
            service.stop()
            await text.press_sequentially("during ")
            await expect(page.locator("#draft-state")).to_have_text("Draft kept in this browser")
            service.start()
            await text.press_sequentially("and after")
            await expect(page.locator("#draft-state")).to_have_text("Draft saved")
            await page.reload()
            await expect(text).to_have_value("Before, during and after")
            await page.locator("html[data-ready]").wait_for(state="attached")
            await text.focus()
            await page.keyboard.press("Control+Enter")
            await expect(page.get_by_role("article").last).to_contain_text("Before, during and after")
