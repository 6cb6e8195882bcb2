"""Drafts and presences on the pages."""

import httpx2
from playwright.async_api import Route, expect

from contract.browser import Visit, watch
from support.desk_pages import page, post, typed, words_of
from support.factories import a_ticket, open_ticket
from support.service_process import ServiceProcess

ME = "agent@example.com"


def a_draft(**fields: str) -> dict[str, str]:
    """Return the fields that the script of the page sends."""
    return {
        "visibility": "public",
        "counter": "1",
        "version": "1",
        "email": ME,
        "text": "half",
        "draft_id": "",
    } | fields


async def test_a_draft_is_on_the_page_of_its_ticket_and_in_the_list(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    saved = await post(client, f"tickets/{made['id']}/draft", **a_draft(text="half <b>"))
    assert saved.status_code == 200
    html = await page(client, f"tickets/{made['id']}")
    assert typed(html) == "half <b>"
    assert f'data-public-id="{saved.json()["draft_id"]}"' in html
    assert f"#{made['id']} {made['subject']}" in words_of(await page(client, "drafts"))


async def test_an_older_save_does_not_replace_a_newer_one(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    first = (await post(client, f"tickets/{made['id']}/draft", **a_draft(counter="7", text="newer"))).json()
    late = a_draft(counter="6", text="older", draft_id=str(first["draft_id"]))
    assert (await post(client, f"tickets/{made['id']}/draft", **late)).json()["counter"] == 7
    assert typed(await page(client, f"tickets/{made['id']}")) == "newer"


async def test_a_reply_ends_its_draft_and_not_the_note(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    reply = (await post(client, f"tickets/{made['id']}/draft", **a_draft())).json()
    await post(client, f"tickets/{made['id']}/draft", **a_draft(visibility="internal", text="a note"))
    sent = await post(client, f"tickets/{made['id']}/comments", text="whole", version="1", email=ME)
    assert sent.status_code == 303
    html = await page(client, f"tickets/{made['id']}")
    assert typed(html) == ""
    assert "a note" in html
    late = a_draft(counter="9", draft_id=str(reply["draft_id"]))
    assert (await post(client, f"tickets/{made['id']}/draft", **late)).status_code == 404


async def test_an_empty_text_forgets_the_draft(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    await post(client, f"tickets/{made['id']}/draft", **a_draft())
    forgotten = await post(client, f"tickets/{made['id']}/draft", **a_draft(text="", counter="2"))
    assert forgotten.json() == {"draft_id": None}
    assert typed(await page(client, f"tickets/{made['id']}")) == ""


async def test_a_draft_follows_its_author_to_another_browser(
    visit: Visit, plain_visit: Visit, desk_service: ServiceProcess
) -> None:
    ticket = desk_service.request("POST", "/tickets", a_ticket()).json()
    address = f"{desk_service.url}/desk/tickets/{ticket['id']}"
    await visit.page.goto(address)
    await visit.page.locator("html[data-ready]").wait_for(state="attached")
    await visit.page.get_by_label("Your email address").fill(ME)
    await visit.page.get_by_role("textbox", name="Text").press_sequentially("Begun here")
    await expect(visit.page.locator("#draft-state")).to_have_text("Draft saved")
    await plain_visit.page.goto(address)
    await expect(plain_visit.page.get_by_role("textbox", name="Text")).to_have_value("Begun here")


async def test_presences_are_shown_to_others(local: httpx2.AsyncClient) -> None:
    made = await open_ticket(local)
    alone = await post(local, f"tickets/{made['id']}/presence", writes="true")
    assert (alone.status_code, alone.json()) == (200, [])
    assert (await local.get(f"/desk/presences?ticket={made['id']}&ticket=x&ticket=-1")).json() == {}
    assert (await post(local, f"tickets/{made['id']}/leave")).status_code == 204


async def test_a_page_shows_who_else_writes(visit: Visit, desk_service: ServiceProcess) -> None:
    ticket = desk_service.request("POST", "/tickets", a_ticket()).json()

    async def answer(route: Route) -> None:
        await route.fulfill(json=[{"name": "Alice <b>", "writes": True}, {"name": "Bob", "writes": False}])

    await visit.page.route("**/presence", answer)
    await visit.page.goto(f"{desk_service.url}/desk/tickets/{ticket['id']}")
    await expect(visit.page.locator("#others")).to_have_text("Alice <b> is writing · Bob looks at this ticket")


async def test_what_the_server_does_not_get_stays_in_the_browser(visit: Visit, desk_service: ServiceProcess) -> None:
    ticket = desk_service.request("POST", "/tickets", a_ticket()).json()
    await visit.page.route("**/draft", lambda route: route.abort())
    await visit.page.goto(f"{desk_service.url}/desk/tickets/{ticket['id']}")
    await visit.page.locator("html[data-ready]").wait_for(state="attached")
    await visit.page.get_by_label("Your email address").fill(ME)
    await visit.page.get_by_role("textbox", name="Text").press_sequentially("Offline")
    await expect(visit.page.locator("#draft-state")).to_have_text("Draft kept in this browser")
    visit.errors.clear()
    again = await visit.page.context.new_page()
    watch(visit, again)
    await again.goto(f"{desk_service.url}/desk/tickets/{ticket['id']}")
    await expect(again.get_by_role("textbox", name="Text")).to_have_value("Offline")
