"""Every page, in both languages, light and dark: no violation that axe finds, and the widths of phones."""

import secrets
from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from contract.browser import Visit, visiting
from support.factories import JSON, a_comment, a_ticket
from support.service_process import ServiceProcess

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


# The rules whose result depends on the colour scheme.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


@pytest.fixture(params=["en-GB", "ru-RU"])
async def reader(
    request: pytest.FixtureRequest, desk_service: ServiceProcess, chromium: Browser
) -> AsyncIterator[Visit]:
    """A page in one of the languages."""
    async with visiting(desk_service.url, chromium, locale=request.param, color_scheme="light") as visit:
        yield visit
        assert visit.foreign_requests == []


@pytest.fixture(scope="session")
def paths(desk_service: ServiceProcess) -> dict[str, str]:
    """The path of each page, by its name; with a ticket that has something in every place."""
    tag = f"x{secrets.token_hex(4)}"
    made = desk_service.request(
        "POST", "/tickets", a_ticket(subject="ж" * 255, text="w" * 65_536, tags=[tag, "b" * 50], priority="urgent")
    ).json()
    closed = desk_service.request("POST", "/tickets", a_ticket()).json()
    ticket = f"/tickets/{made['id']}"
    desk_service.request("POST", f"{ticket}/comments", a_comment(text="\u202eright to left \u05d0\u05d1"))
    desk_service.request("POST", f"{ticket}/comments", a_comment(visibility="internal"))
    desk_service.request("PUT", f"{ticket}/participants/carol@example.com")
    desk_service.request("PUT", f"{ticket}/links/blocks/{closed['id']}")
    desk_service.request("PATCH", f"/tickets/{closed['id']}", {"status": "closed"})
    new_reply = {"title": "w" * 100, "shortcut": tag, "text": "w" * 1_000}
    reply = desk_service.request("POST", "/canned-replies", new_reply).json()
    desk_service.request("POST", "/views", {"name": "w" * 100, "query": f"tag={tag}", "shared": True})
    return {
        "list": f"tickets?tag={tag}&status=open&q=-nothing",
        "filters": f"filters?tag={tag}&status=open",
        "empty list": "tickets?tag=nothing-has-it",
        "ticket": f"tickets/{made['id']}",
        "closed": f"tickets/{closed['id']}",
        "timeline": f"tickets/{made['id']}/timeline",
        "comments": f"tickets/{made['id']}/comments",
        "edit": f"tickets/{made['id']}/edit",
        "new": "tickets/new",
        "keys": "keys",
        "drafts": "drafts",
        "numbers": "numbers?facet=tag",
        "views": "views",
        "new view": f"views/new?tag={tag}",
        "canned replies": f"canned?q={tag}",
        "canned reply": f"canned/{reply['id']}",
        "new canned reply": "canned/new",
        "problem": "nowhere",
    }


async def violations(page: Page, options: JSON) -> dict[tuple[str, str], str]:
    """Return what axe finds, by rule and element."""
    results = await Axe().run(page, options=options)
    return {
        (violation["id"], node["html"][:200]): node["failureSummary"]
        for violation in results.response["violations"]
        for node in violation["nodes"]
    }


async def test_axe_finds_nothing_in_light_and_dark(
    reader: Visit, desk_service: ServiceProcess, paths: dict[str, str]
) -> None:
    page = reader.page
    found: dict[tuple[str, ...], str] = {}
    for name, path in paths.items():
        await page.goto(f"{desk_service.url}/desk/{path}")
        for summary in await page.locator("summary").all():
            await summary.click()
        found |= {(name, *key): why for key, why in (await violations(page, RULES)).items()}
        await page.emulate_media(color_scheme="dark")
        found |= {(name, "dark", *key): why for key, why in (await violations(page, COLOURS)).items()}
        await page.emulate_media(color_scheme="light")
    assert found == {}


async def test_no_page_is_wider_than_the_window(
    visit: Visit, desk_service: ServiceProcess, paths: dict[str, str]
) -> None:
    for name, path in paths.items():
        await visit.page.goto(f"{desk_service.url}/desk/{path}")
        for summary in await visit.page.locator("summary").all():
            await summary.click()
        for width in (320, 768, 2560):
            await visit.page.set_viewport_size({"width": width, "height": 900})
            assert await visit.page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
    visit.errors[:] = [error for error in visit.errors if "404" not in error]


async def test_the_list_is_what_a_screen_reader_reads(visit: Visit, desk_service: ServiceProcess) -> None:
    tag = f"y{secrets.token_hex(4)}"
    ticket = desk_service.request("POST", "/tickets", a_ticket(tags=[tag], priority="high")).json()
    await visit.page.goto(f"{desk_service.url}/desk/tickets?tag={tag}")
    await expect(visit.page.get_by_role("main")).to_match_aria_snapshot(f"""
      - main:
        - heading "Tickets" [level=1]
        - link "Filter"
        - link "Save as a view"
        - combobox "Order":
          - option "Newest first" [selected]
        - button "Sort"
        - list "Filters":
          - listitem:
            - 'link "Tag: {tag} remove this filter"'
        - table "Tickets":
          - rowgroup:
            - row "No. Subject Requester Status Assignee Changed Due"
          - rowgroup:
            - row:
              - cell:
                - checkbox "Tick {ticket["id"]}"
              - cell "{ticket["id"]}"
              - cell:
                - link "The printer is on fire"
                - text: {tag}
              - cell "alice@example.com"
              - cell "Open High"
              - cell
              - cell:
                - time
              - cell
        - button "Change the ticked ones, or all that match"
        - navigation "Pages"
    """)
