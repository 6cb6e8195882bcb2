"""The desk with the keyboard alone."""

import secrets

import pytest
from playwright.async_api import Page, expect

from contract.browser import Visit
from desk.key_table import KEYS
from support.desk_pages import JSON
from support.factories import a_ticket
from support.service_process import ServiceProcess

READY = "html[data-ready]"


def made(service: ServiceProcess, **fields: object) -> JSON:
    """Create a ticket and return it."""
    ticket: JSON = service.request("POST", "/tickets", a_ticket(**fields)).json()
    return ticket


async def opened(page: Page, address: str) -> None:
    await page.goto(address)
    await page.locator(READY).wait_for(state="attached")


async def typing(page: Page, keys: str) -> None:
    """Press keys one by one."""
    for key in keys.split():
        await page.keyboard.press(key)


async def test_a_day_of_work_needs_no_mouse(visit: Visit, desk_service: ServiceProcess) -> None:
    page, tag = visit.page, f"k{secrets.token_hex(4)}"
    ids = [made(desk_service, subject=f"Number {number}", tags=[tag])["id"] for number in range(3)]
    await opened(page, f"{desk_service.url}/desk/tickets?tag={tag}&sort=id")
    await typing(page, "j j k j j")
    await expect(page.locator("tr.current")).to_have_attribute("data-ticket", str(ids[2]))
    await typing(page, "k o")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Number 1")
    await page.locator(READY).wait_for(state="attached")
    await typing(page, "r")
    await expect(page.get_by_role("textbox", name="Text")).to_be_focused()
    await page.keyboard.type("Working on it: just a moment")
    await typing(page, "Escape n")
    await expect(page.get_by_label("Internal note, for agents only")).to_be_checked()
    await page.get_by_label("Your email address").fill("agent@example.com")
    await typing(page, "Escape r")
    await typing(page, "Control+Enter")
    await expect(page.get_by_role("article").last).to_contain_text("Working on it: just a moment")
    await page.locator(READY).wait_for(state="attached")
    await expect(page.get_by_role("textbox", name="Text")).to_have_value("")
    await typing(page, "s a")
    await expect(page.locator(".head .status")).to_have_text("Answered")
    await page.locator(READY).wait_for(state="attached")
    await typing(page, "u")
    await expect(page).to_have_url(f"{desk_service.url}/desk/tickets?tag={tag}&sort=id")
    await page.locator(READY).wait_for(state="attached")
    await typing(page, "g q")
    await expect(page).to_have_url(
        f"{desk_service.url}/desk/tickets?status=open&status=awaiting_reply&sort=-updated_at"
    )


async def test_the_palette_finds_commands_tickets_and_words(visit: Visit, desk_service: ServiceProcess) -> None:
    page, ticket = visit.page, made(desk_service)
    await opened(page, f"{desk_service.url}/desk/tickets?status=closed")
    await typing(page, "Control+k")
    field = page.get_by_role("combobox", name="Command, number of a ticket, or words")
    await expect(field).to_be_focused()
    await page.keyboard.type("unass")
    await expect(page.get_by_role("dialog").get_by_role("option").first).to_contain_text("Unassigned")
    await typing(page, "Escape Control+k")
    await page.keyboard.type(f"#{ticket['id']}")
    await typing(page, "Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text(f"#{ticket['id']}")
    await page.locator(READY).wait_for(state="attached")
    await typing(page, "Control+k")
    await page.keyboard.type("printer fire")
    await typing(page, "ArrowUp Enter")
    await expect(page).to_have_url(f"{desk_service.url}/desk/tickets?q=printer+fire")


async def test_one_switch_turns_single_keys_off(visit: Visit, desk_service: ServiceProcess) -> None:
    page = visit.page
    await opened(page, f"{desk_service.url}/desk/keys")
    await page.get_by_role("checkbox").uncheck()
    await page.get_by_role("checkbox").blur()
    await typing(page, "g a c")
    await expect(page).to_have_url(f"{desk_service.url}/desk/keys")
    await typing(page, "Control+k")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await typing(page, "Escape")
    await page.get_by_role("checkbox").check()
    await page.get_by_role("checkbox").blur()
    await typing(page, "c")
    await expect(page).to_have_url(f"{desk_service.url}/desk/tickets/new")


async def test_keys_are_letters_in_fields_and_with_modifiers(visit: Visit, desk_service: ServiceProcess) -> None:
    page = visit.page
    await opened(page, f"{desk_service.url}/desk/tickets")
    await typing(page, "/")
    await expect(page.get_by_role("searchbox", name="Search tickets")).to_be_focused()
    await page.keyboard.type("crane")
    await expect(page.get_by_role("searchbox", name="Search tickets")).to_have_value("crane")
    await typing(page, "Escape Alt+c")
    await expect(page).to_have_url(f"{desk_service.url}/desk/tickets")


@pytest.mark.parametrize("status", ["open", "answered", "awaiting_reply"])
async def test_the_page_of_keys_has_every_command(visit: Visit, desk_service: ServiceProcess, status: str) -> None:
    page, ticket = visit.page, made(desk_service)
    for step in {"open": [], "answered": ["answered"], "awaiting_reply": ["answered", "awaiting_reply"]}[status]:
        desk_service.request("PATCH", f"/tickets/{ticket['id']}", {"status": step})
    known = {key for key, _ in KEYS}
    for path in ("tickets", f"tickets/{ticket['id']}"):
        await opened(page, f"{desk_service.url}/desk/{path}")
        commands = await page.locator("[data-command]").evaluate_all("all => all.map(each => each.dataset.command)")
        assert set(commands) <= known
        assert len(commands) == len(set(commands))
