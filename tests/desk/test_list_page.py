"""The list page: filters, order, pages."""

import gzip
import re
import secrets
from html import unescape

import httpx2
import pytest

from desk import words
from support.desk_pages import field, page, words_of
from support.factories import open_ticket


@pytest.fixture
def tag() -> str:
    """A tag that no other test uses."""
    return f"t{secrets.token_hex(4)}"


def listed(html: str) -> list[int]:
    """Return the ids of the rows, in their order."""
    return [int(found) for found in re.findall(r'<tr id="t-(\d+)"', html)]


def link(html: str, name: str) -> str:
    """Return the query of the link with this text."""
    (found,) = re.findall(rf'href="\?([^"]*)"[^>]*>(?:<svg.*?</svg>)?{name}', html)
    return unescape(found)


async def test_the_desk_begins_with_the_queue(client: httpx2.AsyncClient) -> None:
    response = await client.get("/desk")
    assert response.status_code == 303
    location = "./desk/tickets?status=open&status=awaiting_reply&sort=-updated_at"
    assert response.headers["Location"] == location
    assert 'id="tickets"' in await page(client, location.removeprefix("./desk/"))


async def test_a_row_shows_what_matters_of_a_ticket(client: httpx2.AsyncClient, tag: str) -> None:
    ticket = await open_ticket(client, tags=[tag], priority="urgent")
    assert (await client.post(f"/tickets/{ticket['id']}/take")).status_code == 200
    html = await page(client, f"tickets?tag={tag}")
    assert listed(html) == [ticket["id"]]
    shown = words_of(html)
    for text in (ticket["subject"], ticket["email"], "Open", "Urgent", "Anonymous", tag):
        assert text in shown
    assert f'<time datetime="{ticket["updated_at"][:19]}Z"' in html


@pytest.mark.parametrize("sort", words.SORTS)
async def test_every_order_has_pages(client: httpx2.AsyncClient, tag: str, sort: str) -> None:
    ids = {(await open_ticket(client, tags=[tag]))["id"] for _ in range(5)}
    found: list[int] = []
    query = f"tag={tag}&sort={sort}&limit=2"
    while query:
        html = await page(client, f"tickets?{query}")
        assert ("First page" in html) is bool(found)
        found += listed(html)
        query = link(html, "Next page") if "Next page" in html else ""
    assert (len(found), set(found)) == ((0, set()) if sort == "due" else (5, ids))
    if sort in {"id", "-id"}:
        assert found == sorted(ids, reverse=sort == "-id")


async def test_each_filter_is_a_chip_that_removes_it(client: httpx2.AsyncClient, tag: str) -> None:
    ticket = await open_ticket(client, tags=[tag])
    html = await page(client, f"tickets?status=open&status=closed&tag={tag}&q=printer&assignee=none")
    for chip in ("Status: Open", "Status: Closed", f"Tag: {tag}", "Words: printer", "Assignee: none"):
        assert chip in words_of(html)
    (without,) = re.findall(r'href="\?([^"]*)">Status: <bdi>Closed', html)
    assert unescape(without) == f"status=open&tag={tag}&q=printer&assignee=none"
    assert listed(await page(client, f"tickets?{unescape(without)}")) == [ticket["id"]]


async def test_empty_fields_of_the_form_are_no_filters(client: httpx2.AsyncClient, tag: str) -> None:
    ticket = await open_ticket(client, tags=[tag])
    fields = "&q=&email=&group=&assignee=&created_after=&due_before="
    assert listed(await page(client, f"tickets?tag={tag}{fields}")) == [ticket["id"]]


async def test_days_begin_at_midnight(client: httpx2.AsyncClient, tag: str) -> None:
    ticket = await open_ticket(client, tags=[tag])
    day = ticket["created_at"][:10]
    assert listed(await page(client, f"tickets?tag={tag}&created_after={day}")) == [ticket["id"]]
    assert listed(await page(client, f"tickets?tag={tag}&created_before={day}")) == []


@pytest.mark.parametrize(
    "query",
    ["created_after=2026-13-45", "sort=subject", "status=lost", "limit=101", "q=a&q=b", "group=x", "nothing=1"],
)
async def test_a_query_that_does_not_fit_is_refused_with_a_page(client: httpx2.AsyncClient, query: str) -> None:
    assert "Some values do not fit" in words_of(await page(client, f"tickets?{query}", 422))


async def test_a_cursor_of_another_list_is_refused(client: httpx2.AsyncClient, tag: str) -> None:
    for _ in range(2):
        await open_ticket(client, tags=[tag])
    query = link(await page(client, f"tickets?tag={tag}&limit=1"), "Next page")
    html = await page(client, f"tickets?{query}&status=open", 422)
    assert "The list has changed" in words_of(html)


async def test_a_row_alone_is_the_row_of_the_list(client: httpx2.AsyncClient, tag: str) -> None:
    ticket = await open_ticket(client, tags=[tag])
    row = (await page(client, f"row?ticket={ticket['id']}")).strip()
    assert row in await page(client, f"tickets?tag={tag}")
    await page(client, "row?ticket=0", 404)
    await page(client, "row?ticket=x", 422)


async def test_a_page_of_50_tickets_is_small(client: httpx2.AsyncClient, tag: str) -> None:
    for number in range(50):
        await open_ticket(client, tags=[tag, "vip"], subject=f"{secrets.token_hex(20)} {number}")
    html = await page(client, f"tickets?tag={tag}")
    assert len(listed(html)) == 50
    assert len(gzip.compress(html.encode())) <= 20 * 1024


async def test_the_form_of_filters_has_those_of_the_list(client: httpx2.AsyncClient) -> None:
    html = await page(client, "filters?status=open&tag=vip&sort=id&created_after=2026-03-02&cursor=x")
    assert 'value="open" checked' in html
    assert (field(html, "tag"), field(html, "sort"), field(html, "created_after")) == ("vip", "id", "2026-03-02")
