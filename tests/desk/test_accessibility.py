"""Every page, in both languages, light and dark: no violation that axe finds, and the widths of phones."""

import secrets
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from contract.browser import Visit, visiting
from support.axe import violations
from support.factories import NewDatabase, a_comment, a_ticket, settings_for
from support.service_process import ServiceProcess


@pytest.fixture(scope="module")
async def open_service(
    migrated_database: NewDatabase, redis_address: tuple[str, int], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServiceProcess]:
    """A service that is not set up: everybody on its machine is an admin, and sees every page."""
    async with migrated_database() as dsn:
        settings = settings_for(dsn, *redis_address, allow_anonymous=False)
        async with ServiceProcess(tmp_path_factory.mktemp("open") / "log", settings) as service:
            yield service


@pytest.fixture(params=["en-GB", "ru-RU"])
def language(request: pytest.FixtureRequest) -> str:
    language: str = request.param
    return language


@pytest.fixture
async def reader(language: str, open_service: ServiceProcess, chromium: Browser) -> AsyncIterator[Visit]:
    """A page in one of the languages."""
    async with visiting(open_service.url, chromium, locale=language, color_scheme="light") as visit:
        yield visit
        assert visit.foreign_requests == []


@pytest.fixture(scope="module")
def paths(open_service: ServiceProcess) -> dict[str, str]:
    """The path of each page, by its name; with a ticket that has something in every place."""
    tag = f"x{secrets.token_hex(4)}"
    made = open_service.request(
        "POST", "/tickets", a_ticket(subject="ж" * 255, text="w" * 65_536, tags=[tag, "b" * 50], priority="urgent")
    ).json()
    closed = open_service.request("POST", "/tickets", a_ticket()).json()
    ticket = f"/tickets/{made['id']}"
    open_service.request("POST", f"{ticket}/comments", a_comment(text="\u202eright to left \u05d0\u05d1"))
    open_service.request("POST", f"{ticket}/comments", a_comment(visibility="internal"))
    open_service.request("PUT", f"{ticket}/participants/carol@example.com")
    open_service.request("PUT", f"{ticket}/links/blocks/{closed['id']}")
    open_service.request("PATCH", f"/tickets/{closed['id']}", {"status": "closed"})
    new_reply = {"title": "w" * 100, "shortcut": tag, "text": "w" * 1_000}
    reply = open_service.request("POST", "/canned-replies", new_reply).json()
    open_service.request("POST", "/views", {"name": "w" * 100, "query": f"tag={tag}", "shared": True})
    week = {"name": tag, "zone": "UTC", "weekly": {"mon": [["09:00", "17:00"]]}}
    calendar = open_service.request("POST", "/calendars", week).json()
    webhook = open_service.request("POST", "/webhooks", {"url": f"https://hooks.example.com/{tag}"}).json()
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
        "areas": "admin",
        "people": "admin/people",
        "new person": "admin/people/new",
        "new group": "admin/groups/new",
        "new key": "admin/keys/new",
        "new field": "admin/fields/new",
        "tags": "admin/tags",
        "tag": f"admin/tags/{tag}",
        "new calendar": "admin/calendars/new",
        "calendar": f"admin/calendars/{calendar['id']}",
        "new policy": "admin/policies/new",
        "new rule": "admin/rules/new",
        "new webhook": "admin/webhooks/new",
        "webhook": f"admin/webhooks/{webhook['id']}",
        "deliveries": f"admin/webhooks/{webhook['id']}/deliveries",
        "bulk": f"tickets?tag={tag}",
        "bulk, tried": f"tickets?tag={tag}",
        "bulk, done": f"tickets?tag={tag}",
        "problem": "nowhere",
    }


WIDTHS = (320, 768, 2560)
# What is clicked to reach the pages that have no address.
BULK = ["#bulk button", "button.main"]
CLICKS = {"bulk": BULK[:1], "bulk, tried": BULK, "bulk, done": [*BULK, "button.main"]}


async def show(page: Page, service: ServiceProcess, name: str, path: str) -> None:
    """Open a page, with everything that can be unfolded."""
    await page.goto(f"{service.url}/desk/{path}")
    for button in CLICKS.get(name, ()):
        for field in await page.locator("input[name=add_tags]:not([type=hidden])").all():
            await field.fill(secrets.token_hex(4))
        async with page.expect_navigation():
            await page.locator(button).first.click()
    for summary in await page.locator("summary").all():
        await summary.click()


async def test_axe_finds_nothing_and_no_page_is_wider_than_the_window(
    reader: Visit, open_service: ServiceProcess, paths: dict[str, str], language: str
) -> None:
    page = reader.page
    found: dict[tuple[str, str, str], str] = {}
    for name, path in paths.items():
        await show(page, open_service, name, path)
        found |= await violations(page, name, is_dark=language == "en-GB")  # colours have no language
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 900})
            shown = await page.evaluate("document.documentElement.scrollWidth")
            if shown > width:
                found[name, "width", str(width)] = str(shown)
    assert found == {}


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
