"""The first day of an admin, from the link on the terminal to the numbers in the evening, with the keyboard alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from contract.browser import Visit, visiting
from support.factories import NewDatabase, a_ticket, settings_for
from support.service_process import ServiceProcess
from support.sign_in import PASSWORD

MOST_TABS = 80
SUBJECTS = ("The printer is on fire", "Fire in the printer", "No paper", "No toner")


@pytest.fixture
async def fresh_service(
    migrated_database: NewDatabase, redis_address: tuple[str, int], tmp_path: Path
) -> AsyncIterator[ServiceProcess]:
    """A service that is not set up."""
    async with migrated_database() as dsn:
        settings = settings_for(dsn, *redis_address, allow_anonymous=False)
        async with ServiceProcess(tmp_path / "log", settings) as service:
            yield service


@pytest.fixture
async def first_visit(fresh_service: ServiceProcess, chromium: Browser) -> AsyncIterator[Visit]:
    async with visiting(fresh_service.url, chromium) as visit:
        yield visit
        assert (visit.foreign_requests, visit.errors) == ([], [])


async def ready(page: Page) -> None:
    await page.locator("html[data-ready]").wait_for(state="attached")


async def reach(page: Page, target: Locator) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(MOST_TABS):
        if await target.evaluate("element => element === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {target}")


async def fill(page: Page, label: str, text: str) -> None:
    await reach(page, page.get_by_label(label, exact=True))
    await page.keyboard.type(text)


async def push(page: Page, name: str) -> None:
    await reach(page, page.get_by_role("button", name=name, exact=True).first)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def keys(page: Page, sequence: str) -> None:
    for key in sequence.split():
        await page.keyboard.press(key)


async def go(page: Page, sequence: str) -> None:
    """Press keys that lead to another page."""
    async with page.expect_navigation():
        await keys(page, sequence)
    await ready(page)


async def set_up(page: Page, service: ServiceProcess) -> None:
    """Become the first admin, by the link of the terminal."""
    token = (Path(service.environment["DATA_DIR"]) / "set-up-token").read_text().strip()
    await page.goto(f"{service.url}/set-up#{token}")
    await fill(page, "Name", "Alice Liddell")
    await fill(page, "Email address", "alice@example.com")
    await fill(page, "Password, of at least 12 characters", PASSWORD)
    await fill(page, "The same password again", PASSWORD)
    await push(page, "Make it yours")


async def sign_out_and_in(page: Page, service: ServiceProcess) -> None:
    await push(page, "Sign out")
    await page.goto(f"{service.url}/desk")
    await fill(page, "Email address", "alice@example.com")
    await fill(page, "Password", PASSWORD)
    await push(page, "Sign in")
    await ready(page)


async def answer_the_oldest(page: Page) -> None:
    """Take the last ticket of the queue, write a note and a reply, and mark it as answered."""
    await keys(page, "j j j j")
    await go(page, "o")
    await expect(page.get_by_role("heading", level=1)).to_contain_text(SUBJECTS[0])
    await go(page, "a")
    await expect(page.locator("dd", has_text="Alice Liddell")).to_be_visible()
    await keys(page, "n")
    await page.keyboard.type("Ask the landlord")
    await go(page, "Control+Enter")
    await expect(page.get_by_role("article").last).to_contain_text("Internal note")
    await keys(page, "r")
    await page.keyboard.type("Pour water on it")
    await go(page, "Control+Enter")
    await expect(page.get_by_role("article").last).to_contain_text("Pour water on it")
    await go(page, "s a")
    await expect(page.locator(".head .status")).to_have_text("Answered")


async def merge_the_second(page: Page, ids: list[int]) -> None:
    await go(page, "g a")
    await keys(page, "j j j")
    await go(page, "o")
    await expect(page.get_by_role("heading", level=1)).to_contain_text(SUBJECTS[1])
    await reach(page, page.locator("summary", has_text="Link or merge"))
    await keys(page, "Enter")
    await fill(page, "Merge into the ticket with the number", str(ids[0]))
    await push(page, "Merge")
    await expect(page.get_by_role("link", name=f"#{ids[1]}")).to_be_visible()
    await ready(page)


async def close_the_others(page: Page) -> None:
    """Close the ticked tickets of the queue together."""
    await go(page, "g q")
    await keys(page, "j x j x")
    await go(page, "b")
    await reach(page, page.get_by_label("Status"))
    await page.keyboard.type("Closed")
    await push(page, "Show what would change")
    await expect(page.get_by_role("heading", name="What would change")).to_be_visible()
    await push(page, "Change them")
    await expect(page.get_by_text("Finished.")).to_be_visible(timeout=20_000)
    await ready(page)


async def follow_a_number(page: Page) -> None:
    """Open the numbers, and the list behind one of them."""
    await go(page, "g n")
    await expect(page.get_by_role("heading", level=1, name="Numbers")).to_be_visible()
    await reach(page, page.get_by_role("link", name="0", exact=True).first)
    await go(page, "Enter")
    await expect(page.get_by_role("heading", level=1, name="Tickets")).to_be_visible()


async def test_a_first_day_needs_no_mouse(first_visit: Visit, fresh_service: ServiceProcess) -> None:
    page = first_visit.page
    ids = [fresh_service.request("POST", "/tickets", a_ticket(subject=each)).json()["id"] for each in SUBJECTS]
    await set_up(page, fresh_service)
    await sign_out_and_in(page, fresh_service)
    await answer_the_oldest(page)
    await merge_the_second(page, ids)
    await close_the_others(page)
    await follow_a_number(page)
    await go(page, "g a")
    closed = page.locator("tr[data-ticket]", has_text="Closed")
    await expect(closed).to_have_count(3)
