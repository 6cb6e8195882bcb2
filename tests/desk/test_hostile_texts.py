"""Texts of strangers in every field: pages show them, and nothing in them is markup."""

import re
from html.parser import HTMLParser

import httpx2
import pytest

from desk.pages import POLICY, TEMPLATES
from support.desk_pages import page, post
from support.factories import a_comment, open_ticket

TEXTS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "</textarea></form><a href=javascript:alert(1) hx-on:click=alert(1)>x</a>",
    "\u202egnp.exe\u2066 \u061c",
    "%(number)s %s {n}",
]
VOID = {
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "track",
    "wbr",
    "path",
    "circle",
    "rect",
    "polyline",
}


class Tags(HTMLParser):
    """Collects the tags of a page, and checks that they are balanced."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def ensure_harmless(html: str) -> None:
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    for tag, attributes in tags.seen:
        assert tag != "img"
        assert tag != "script" or set(attributes) <= {"src", "defer", "type"}
        for name, value in attributes.items():
            assert not name.startswith(("on", "hx-on")), name
            assert name != "style"
            assert not (value or "").strip().lower().startswith("javascript:")


@pytest.mark.parametrize("text", TEXTS)
async def test_a_text_is_shown_as_it_is_everywhere(client: httpx2.AsyncClient, text: str) -> None:
    made = await open_ticket(client, subject=text, text=text)
    await client.post(f"/tickets/{made['id']}/comments", json=a_comment(text=text))
    await client.post(f"/tickets/{made['id']}/comments", json=a_comment(text=text, visibility="internal"))
    await client.patch(f"/tickets/{made['id']}", json={"subject": f"{text}!"})
    paths = ["", "?part=ticket", "/timeline", "/comments", "/edit"]
    for html in [
        *[await page(client, f"tickets/{made['id']}{path}") for path in paths],
        await page(client, f"row?ticket={made['id']}"),
        await page(client, "tickets?sort=-id"),
        (await post(client, f"tickets/{made['id']}/comments", text=text, version="1", email=text)).text,
        (await post(client, f"tickets/{made['id']}/edit", subject=text, text=text, tags=text, version="1")).text,
        (await post(client, "tickets", subject=text, text=text, tags=text, email=text, key="k")).text,
    ]:
        assert html
        ensure_harmless(html)


@pytest.mark.parametrize("text", TEXTS)
async def test_a_filter_is_shown_as_it_is(client: httpx2.AsyncClient, text: str) -> None:
    for name in ("q", "email", "participant", "external_id"):
        response = await client.get("/desk/tickets", params={name: text})
        assert response.status_code in {200, 422}
        ensure_harmless(response.text)


async def test_every_page_forbids_what_is_not_its_own(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    for path in ("tickets", "tickets/new", f"tickets/{made['id']}", "keys", "nowhere"):
        response = await client.get(f"/desk/{path}")
        assert response.headers["Content-Security-Policy"] == POLICY
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert response.headers["X-Frame-Options"] == "DENY"
    for part in ("'unsafe", "http:", "*", "blob:"):
        assert part not in POLICY


def test_templates_never_turn_escaping_off_but_for_icons() -> None:
    for path in TEMPLATES.rglob("*.html"):
        source = path.read_text()
        found = re.findall(r"\|\s*safe|autoescape|Markup", source)
        assert found == (["|safe"] if path.name == "icons.html" else []), path.name
