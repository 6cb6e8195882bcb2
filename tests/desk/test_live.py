"""Live changes: pages show what changed, lose nothing that is typed, and share one stream."""

import asyncio
import secrets
from pathlib import Path

from playwright.async_api import Page, Request, expect

from contract.browser import Visit, watch
from core.settings import Settings
from support.desk_pages import JSON
from support.factories import a_comment, a_ticket
from support.service_process import ServiceProcess

READY, STREAM = "html[data-ready]", "html[data-stream=open]"
TABS = 7


def made(service: ServiceProcess, **fields: object) -> JSON:
    """Create a ticket and return it."""
    ticket: JSON = service.request("POST", "/tickets", a_ticket(**fields)).json()
    return ticket


async def opened(page: Page, address: str, state: str = STREAM) -> None:
    await page.goto(address)
    await page.locator(state).wait_for(state="attached")


async def test_rows_change_in_place_and_new_tickets_wait(visit: Visit, desk_service: ServiceProcess) -> None:
    page, tag = visit.page, f"l{secrets.token_hex(4)}"
    first, second = made(desk_service, tags=[tag]), made(desk_service, tags=[tag])
    await opened(page, f"{desk_service.url}/desk/tickets?tag={tag}&sort=-updated_at")
    desk_service.request("PATCH", f"/tickets/{first['id']}", {"subject": "Changed <b>live</b>"})
    await expect(page.locator(f"#t-{first['id']}")).to_contain_text("Changed <b>live</b>")
    rows = await page.locator("tr[data-ticket]").evaluate_all("all => all.map(row => row.dataset.ticket)")
    assert rows == [str(second["id"]), str(first["id"])]
    made(desk_service, tags=[tag])
    made(desk_service, tags=[tag])
    await expect(page.get_by_role("link", name="New or changed tickets: 2 (press .)")).to_be_visible()
    await page.keyboard.press(".")
    await expect(page.locator("tr[data-ticket]")).to_have_count(4)


async def test_a_live_change_keeps_focus_text_and_cursor(visit: Visit, desk_service: ServiceProcess) -> None:
    page, ticket = visit.page, made(desk_service)
    await opened(page, f"{desk_service.url}/desk/tickets/{ticket['id']}")
    text = page.get_by_role("textbox", name="Text")
    await text.click()
    await page.keyboard.type("half a reply")
    await text.evaluate("text => text.setSelectionRange(5, 5)")
    desk_service.request("PUT", f"/tickets/{ticket['id']}/tags/vip")
    await expect(page.get_by_role("link", name="vip")).to_be_visible()
    await expect(text).to_be_focused()
    await page.keyboard.type("of ")
    await expect(text).to_have_value("half of a reply")
    await expect(page.locator("#unseen")).to_be_hidden()
    await expect(page.locator("#composer input[name=version]")).to_have_value("2")


async def test_a_comment_that_comes_while_typing_must_be_read_first(visit: Visit, desk_service: ServiceProcess) -> None:
    page, ticket = visit.page, made(desk_service)
    await opened(page, f"{desk_service.url}/desk/tickets/{ticket['id']}")
    await page.get_by_label("Your email address").fill("agent@example.com")
    await page.get_by_role("textbox", name="Text").fill("my reply")
    desk_service.request("POST", f"/tickets/{ticket['id']}/comments", a_comment(text="never mind"))
    await expect(page.locator("#unseen")).to_be_visible()
    visit.errors.clear()
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.get_by_role("heading", name="Not sent yet: there is something new")).to_be_visible()
    visit.errors[:] = [error for error in visit.errors if "409" not in error]
    await expect(page.get_by_role("textbox", name="Text")).to_have_value("my reply")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.get_by_role("article").last).to_contain_text("my reply")


async def test_what_is_typed_survives_a_closed_tab_and_a_closed_ticket(
    visit: Visit, desk_service: ServiceProcess
) -> None:
    page, ticket = visit.page, made(desk_service)
    address = f"{desk_service.url}/desk/tickets/{ticket['id']}"
    await opened(page, address, READY)
    await page.get_by_role("textbox", name="Text").fill("a reply in progress")
    await page.get_by_label("Internal note, for agents only").check()
    await expect(page.get_by_role("textbox", name="Text")).to_have_value("")
    await page.get_by_role("textbox", name="Text").fill("a note in progress")
    await page.close()
    again = await page.context.new_page()
    watch(visit, again)
    await opened(again, address)
    await expect(again.get_by_role("textbox", name="Text")).to_have_value("a reply in progress")
    desk_service.request("PATCH", f"/tickets/{ticket['id']}", {"status": "closed"})
    await expect(again.get_by_role("heading", name="The ticket is closed")).to_be_visible()
    await expect(again.get_by_role("textbox", name="Text")).to_have_value("a reply in progress")


async def test_seven_tabs_share_one_stream_and_survive_its_holder(visit: Visit, desk_service: ServiceProcess) -> None:
    ticket, streams = made(desk_service), []

    def count(request: Request) -> None:
        if "/desk/events" in request.url:
            streams.append(request.url)

    visit.page.context.on("request", count)
    await opened(visit.page, f"{desk_service.url}/desk/tickets?sort=-id")
    tabs = [await visit.page.context.new_page() for _ in range(TABS)]
    for tab in tabs:
        watch(visit, tab)
        await opened(tab, f"{desk_service.url}/desk/tickets?sort=-id", READY)
    desk_service.request("PATCH", f"/tickets/{ticket['id']}", {"subject": "Seen by seven"})
    for tab in tabs:
        await expect(tab.locator(f"#t-{ticket['id']}")).to_contain_text("Seen by seven")
    assert len(streams) == 1
    await visit.page.close()
    desk_service.request("PATCH", f"/tickets/{ticket['id']}", {"subject": "Seen by the rest"})
    for tab in tabs:
        await expect(tab.locator(f"#t-{ticket['id']}")).to_contain_text("Seen by the rest")
    assert len(streams) == 2


async def test_a_broken_stream_continues_where_it_was(settings: Settings, tmp_path: Path, visit: Visit) -> None:
    with ServiceProcess(tmp_path / "log", settings) as service:
        ticket = made(service)
        page = visit.page
        await page.context.unroute_all()
        await opened(page, f"{service.url}/desk/tickets/{ticket['id']}")
        service.request("PATCH", f"/tickets/{ticket['id']}", {"subject": "Before the break"})
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Before the break")
        await asyncio.to_thread(service.stop)
        await asyncio.to_thread(service.start)
        service.request("PATCH", f"/tickets/{ticket['id']}", {"subject": "After the break"})
        await expect(page.get_by_role("heading", level=1)).to_contain_text("After the break", timeout=20_000)
        visit.errors.clear()  # the browser reports the connection that broke


async def test_the_stream_names_tickets_and_versions_alone(desk_service: ServiceProcess) -> None:
    ticket = made(desk_service, subject="secret words")
    reader, writer = await asyncio.open_connection("127.0.0.1", desk_service.port)
    writer.write(b"GET /desk/events?after=start HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
    wanted = b'{"ticket":%d,"version":1}' % ticket["id"]
    received = b""
    async with asyncio.timeout(20):
        while wanted not in received:
            received += await reader.read(65_536)
    writer.close()
    data = [line for line in received.splitlines() if line.startswith(b"data:")]
    assert all(line.startswith(b'data: {"ticket":') for line in data)
    assert b"secret words" not in received
