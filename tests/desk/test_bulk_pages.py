"""Bulk changes: what would change is shown first, and the progress is a page."""

import asyncio
import re
import secrets
from html import unescape

import httpx2
import pytest
from playwright.async_api import expect

from contract.browser import Visit
from support.desk_pages import field, page, post, ticket, words_of
from support.factories import a_ticket, open_ticket, ticket_in
from support.service_process import ServiceProcess
from support.sign_in import FORM


@pytest.fixture
def tag() -> str:
    return f"b{secrets.token_hex(4)}"


async def finished(client: httpx2.AsyncClient, path: str) -> str:
    """Return the text of the page of a bulk change when it has ended."""
    async with asyncio.timeout(20):
        while 'http-equiv="refresh"' in (html := await page(client, path)):
            await asyncio.sleep(0.05)
    return words_of(html)


def hidden(html: str) -> list[tuple[str, str]]:
    """Return the hidden fields of the last form of a page."""
    form = html[html.rindex("<form") :]
    return [(name, unescape(value)) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)]


async def sent(client: httpx2.AsyncClient, path: str, fields: list[tuple[str, str]]) -> httpx2.Response:
    form: dict[str, list[str]] = {}
    for name, value in fields:
        form.setdefault(name, []).append(value)
    return await client.post(f"/desk/{path}", data=form, headers=FORM)


async def test_all_that_match_are_tried_and_then_changed(client: httpx2.AsyncClient, tag: str) -> None:
    made = [await open_ticket(client, tags=[tag]) for _ in range(3)]
    closed = await ticket_in(client, "closed")
    html = await page(client, f"tickets?tag={tag}")
    query = field(html, "query")
    assert query == f"tag={tag}"
    form = (await post(client, "bulk", query=query)).text
    assert f"All tickets that match: tag={tag}" in words_of(form)
    tried = await post(client, "bulk/try", query=query, priority="urgent", add_tags="Hot, x", assignee_id="")
    assert "Would change 3" in words_of(tried.text)
    assert (await ticket(client, made[0]["id"]))["priority"] == "normal"
    started = await sent(client, "bulk/start", hidden(tried.text))
    assert started.status_code == 303
    assert "Finished. Changed 3" in await finished(client, started.headers["Location"].partition("desk/")[2])
    for each in made:
        now = await ticket(client, each["id"])
        assert (now["priority"], now["tags"]) == ("urgent", sorted([tag, "hot", "x"]))
    again = await sent(client, "bulk/start", hidden(tried.text))
    assert again.headers["Location"] == started.headers["Location"]
    ids = [("id", str(each["id"])) for each in (made[0], closed)]
    refused = await sent(client, "bulk/try", [*ids, ("status", "closed")])
    assert "Would change 1" in words_of(refused.text)
    assert f"#{closed['id']}" in refused.text


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ([("query", "tag=a")], "must change at least one field or tag"),
        ([("query", "limit=1"), ("priority", "low")], "must be a query"),
        ([("id", "x"), ("priority", "low")], "must be a whole number"),
        ([("query", ""), ("add_tags", "two words")], "must be letters in lower case"),
    ],
)
async def test_what_does_not_fit_is_refused(
    client: httpx2.AsyncClient, fields: list[tuple[str, str]], says: str
) -> None:
    response = await sent(client, "bulk/try", fields)
    assert (response.status_code, says in words_of(response.text)) == (422, True)


async def test_a_missing_bulk_change_has_a_page(client: httpx2.AsyncClient) -> None:
    assert "Bulk change not found" in words_of(await page(client, "bulk/999999999", 404))


async def test_ticked_tickets_are_changed_by_keyboard(visit: Visit, desk_service: ServiceProcess, tag: str) -> None:
    ids = [desk_service.request("POST", "/tickets", a_ticket(tags=[tag])).json()["id"] for _ in range(3)]
    await visit.page.goto(f"{desk_service.url}/desk/tickets?tag={tag}&sort=id")
    await visit.page.locator("html[data-ready]").wait_for(state="attached")
    for key in ("j", "x", "j", "x", "b"):
        await visit.page.keyboard.press(key)
    await expect(visit.page.get_by_text("Ticked tickets: 2")).to_be_visible()
    await visit.page.get_by_label("Status").select_option("closed")
    await visit.page.get_by_role("button", name="Show what would change").click()
    await visit.page.get_by_role("button", name="Change them").click()
    await expect(visit.page.get_by_text("Finished.")).to_be_visible(timeout=20_000)
    states = [desk_service.request("GET", f"/tickets/{each}").json()["status"] for each in ids]
    assert states == ["closed", "closed", "open"]
