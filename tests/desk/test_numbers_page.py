"""The page of numbers: each number leads to the list that it counts."""

import asyncio
import re
from html import unescape

import httpx2
import pytest

from support.desk_pages import page, words_of
from support.factories import open_ticket


async def test_each_number_of_now_is_the_list_behind_it(local: httpx2.AsyncClient) -> None:
    for _ in range(2):
        await open_ticket(local)
    html = await page(local, "numbers")
    found = re.findall(r'<dd><a href="\.\./desk/tickets\?([^"]*)">(\d+)</a>', html)
    assert len(found) >= 4
    for query, number in found:
        rows = re.findall(r'<tr id="t-', await page(local, f"tickets?{unescape(query)}&limit=100"))
        assert len(rows) == int(number)


async def test_the_days_have_what_was_opened(local: httpx2.AsyncClient) -> None:
    await open_ticket(local)
    async with asyncio.timeout(30):
        while not re.search(r"<td><a [^>]*>[1-9]", html := await page(local, "numbers")):
            await asyncio.sleep(0.2)
    assert html.count('<rect class="opened"') == 14
    assert "The last 14 days" in words_of(html)


@pytest.mark.parametrize("facet", ["person", "group", "tag", "none"])
async def test_every_facet_has_a_page(local: httpx2.AsyncClient, facet: str) -> None:
    html = await page(local, f"numbers?facet={facet}")
    assert html.count('aria-current="true"') == 1


async def test_the_numbers_of_closed_tickets_are_those_of_their_lists(local: httpx2.AsyncClient) -> None:
    made = await open_ticket(local)
    assert (await local.patch(f"/tickets/{made['id']}", json={"status": "closed"})).status_code == 200
    closed_link = r'<td><a href="\.\./desk/tickets\?([^"]*closed_after[^"]*)">([^<]*)</a></td>'
    async with asyncio.timeout(30):
        while not [found for found in re.findall(closed_link, await page(local, "numbers")) if found[1] != "0"]:
            await asyncio.sleep(0.2)
    found = re.findall(closed_link, await page(local, "numbers"))
    assert any("/" in number for _, number in found)  # the time to close, too
    for query, number in found:
        rows = re.findall(r'<tr id="t-', await page(local, f"tickets?{unescape(query)}&limit=100"))
        assert not number.isdigit() or len(rows) == int(number)
