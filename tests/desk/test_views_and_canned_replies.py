"""Saved views and canned replies: their pages, and their use in lists and replies."""

import re
import secrets

import httpx2
import pytest
from playwright.async_api import expect

from contract.browser import Visit
from support.desk_pages import field, page, post, typed, words_of
from support.factories import a_ticket, open_ticket
from support.service_process import ServiceProcess


@pytest.fixture
def name() -> str:
    return f"n{secrets.token_hex(4)}"


async def test_the_filters_of_a_list_become_a_view_with_a_count(client: httpx2.AsyncClient, name: str) -> None:
    for _ in range(2):
        await open_ticket(client, tags=[name])
    form = await page(client, f"views/new?tag={name}&status=open&created_after=2026-03-02&sort=id&cursor=x")
    query = field(form, "query")
    assert query == f"tag={name}&status=open&created_after=2026-03-02T00%3A00%3A00%2B00%3A00&sort=id"
    saved = await post(client, "views", name=f"{name} <b>", query=query, shared="true")
    assert (saved.status_code, saved.headers["Location"]) == (303, f"../desk/tickets?{query}")
    links = await page(client, "views?part=links")
    assert f"{name} <b> 2" in words_of(links)
    assert links.strip().startswith("<ul")


async def test_a_view_is_renamed_and_deleted(client: httpx2.AsyncClient, name: str) -> None:
    await post(client, "views", name=name, query="status=open")
    html = await page(client, "views")
    (view_id,) = re.findall(rf'desk/views/(\d+)">\s*<input[^>]*>\s*<input name="name"[^>]*value="{name}"', html)
    assert (await post(client, f"views/{view_id}", name=f"{name}-2", version="1")).status_code == 303
    assert f"{name}-2 " in words_of(await page(client, "views"))
    outdated = await post(client, f"views/{view_id}/delete", version="1")
    assert (outdated.status_code, "changed in the meantime" in outdated.text) == (412, True)
    assert (await post(client, f"views/{view_id}/delete", version="2")).status_code == 303
    assert name not in await page(client, "views")


async def test_a_view_without_a_name_is_shown_again(client: httpx2.AsyncClient) -> None:
    refused = await post(client, "views", name=" ", query="status=open")
    assert refused.status_code == 422
    assert "Name: must not be blank" in words_of(refused.text)
    assert field(refused.text, "query") == "status=open"


async def test_a_canned_reply_is_created_changed_and_deleted(client: httpx2.AsyncClient, name: str) -> None:
    fields = {"title": f"Title {name}", "shortcut": name, "text": "Hello\n{{ticket.subject}}", "group_id": ""}
    assert (await post(client, "canned", **fields)).status_code == 303
    html = await page(client, f"canned?q={name}")
    assert f"Title {name} /{name}" in words_of(html)
    (reply_id,) = re.findall(r"desk/canned/(\d+)", html)
    made = await open_ticket(client, subject="<Fire>")
    rendered = (await client.get(f"/desk/canned/{reply_id}/rendered?ticket={made['id']}")).json()
    assert rendered == {"text": "Hello\n<Fire>", "missing": []}
    twice = await post(client, "canned", **fields)
    assert (twice.status_code, typed(twice.text)) == (409, fields["text"])
    changed = fields | {"title": "Changed", "version": "1"}
    assert (await post(client, f"canned/{reply_id}", **changed)).status_code == 303
    assert field(await page(client, f"canned/{reply_id}"), "title") == "Changed"
    refused = await post(client, f"canned/{reply_id}", **(changed | {"text": "{{secret}}", "version": "2"}))
    assert (refused.status_code, typed(refused.text)) == (422, "{{secret}}")
    assert (await post(client, f"canned/{reply_id}/delete", version="2")).status_code == 303
    await page(client, f"canned/{reply_id}", 404)


async def test_a_slash_inserts_a_reply_at_the_cursor(visit: Visit, desk_service: ServiceProcess, name: str) -> None:
    ticket = desk_service.request("POST", "/tickets", a_ticket(subject="Smoke")).json()
    reply = {"title": f"About {name}", "shortcut": name, "text": "[{{ticket.subject}}]"}
    assert desk_service.request("POST", "/canned-replies", reply).status == 201
    await visit.page.goto(f"{desk_service.url}/desk/tickets/{ticket['id']}")
    await visit.page.locator("html[data-ready]").wait_for(state="attached")
    text = visit.page.get_by_role("textbox", name="Text")
    await text.fill("Before  after 1/2")
    await text.evaluate("text => text.setSelectionRange(7, 7)")
    await visit.page.keyboard.press("/")
    await expect(visit.page.get_by_role("dialog", name="Canned replies")).to_be_visible()
    await visit.page.keyboard.type(name)
    await expect(visit.page.get_by_role("dialog").get_by_role("option")).to_have_count(1)
    await visit.page.keyboard.press("Enter")
    await expect(text).to_have_value("Before [Smoke] after 1/2")
    await expect(text).to_be_focused()
    await visit.page.keyboard.press("End")
    await visit.page.keyboard.type("/3 ")
    await visit.page.keyboard.press("/")
    await visit.page.keyboard.press("Escape")
    await expect(text).to_have_value("Before [Smoke] after 1/2/3 /")


async def test_a_list_loads_the_counts_of_views(visit: Visit, desk_service: ServiceProcess, name: str) -> None:
    desk_service.request("POST", "/tickets", a_ticket(tags=[name]))
    view = {"name": name, "query": f"tag={name}", "shared": True}
    assert desk_service.request("POST", "/views", view).status == 201
    await visit.page.goto(f"{desk_service.url}/desk/tickets")
    await visit.page.get_by_role("link", name=f"{name} 1").click()
    await expect(visit.page.locator("tr[data-ticket]")).to_have_count(1)
