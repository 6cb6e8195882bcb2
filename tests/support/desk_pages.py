"""What the tests of pages share: forms as browsers send them, and what the pages say."""

import re
from html import unescape
from typing import Any

import httpx2

from support.sign_in import FORM

JSON = dict[str, Any]


async def post(client: httpx2.AsyncClient, path: str, **fields: Any) -> httpx2.Response:
    """Send a form as a browser does, with the line breaks of the standard."""
    encoded = {name: value.replace("\n", "\r\n") if isinstance(value, str) else value for name, value in fields.items()}
    return await client.post(f"/desk/{path}", data=encoded, headers=FORM)


async def page(client: httpx2.AsyncClient, path: str, status: int = 200, **headers: str) -> str:
    """Return the HTML of a page."""
    response = await client.get(f"/desk/{path}", headers=headers)
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    return response.text


async def ticket(client: httpx2.AsyncClient, ticket_id: int) -> JSON:
    """Return a ticket from the API."""
    found: JSON = (await client.get(f"/tickets/{ticket_id}")).json()
    return found


def words_of(html: str) -> str:
    """Return the text of a page, with single spaces."""
    without_tags = re.sub(r"<[^>]*>", " ", html)
    return " ".join(unescape(without_tags).split())


def field(html: str, name: str) -> str:
    """Return the value of an input."""
    found = re.search(rf'<input[^>]*name="{re.escape(name)}"[^>]*value="([^"]*)"', html)
    assert found, name
    return unescape(found[1])


def typed(html: str, name: str = "text") -> str:
    """Return the content of a textarea, without the line break that browsers drop."""
    found = re.search(rf'<textarea[^>]*name="{name}"[^>]*>\n(.*?)</textarea>', html, re.DOTALL)
    assert found, name
    return unescape(found[1])
