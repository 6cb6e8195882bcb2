"""The pages for people, in a real browser and without network: nothing is asked of anybody but the service."""

import json
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.problems.types import ALL
from contract.browser import HOST, Visit, visiting
from core.settings import ROOT
from support.programs import require_program

OPERATIONS = [
    (method.upper(), path, operation["summary"])
    for path, methods in json.loads((ROOT / "openapi.json").read_text())["paths"].items()
    for method, operation in methods.items()
]


@pytest.fixture
def origin(service_url: str) -> str:
    return service_url.replace("127.0.0.1", HOST)


@pytest.fixture
async def visit(origin: str) -> AsyncIterator[Visit]:
    chromium = require_program("chromium", "chromium-browser", "google-chrome")
    async with visiting(origin, chromium) as visit:
        yield visit
        assert visit.strayed == []
        assert visit.errors == []


async def test_docs_lists_every_operation(visit: Visit, origin: str, tmp_path: Path) -> None:
    await visit.page.goto(f"{origin}/docs")
    operations = visit.page.locator(".opblock-summary")
    await operations.nth(len(OPERATIONS) - 1).wait_for()
    shown = {" ".join((await operation.inner_text()).split()) for operation in await operations.all()}
    # Long paths may be broken by a character of no width.
    shown = {line.replace("\u200b", "") for line in shown}
    assert shown == {f"{method} {path} {summary}" for method, path, summary in OPERATIONS}
    await assert_drawn(visit, tmp_path / "docs.png")


async def test_a_ticket_is_opened_from_the_page_as_it_stands(visit: Visit, origin: str) -> None:
    await visit.page.goto(f"{origin}/docs")
    operation = visit.page.locator("#operations-tickets-create_ticket")
    await operation.locator(".opblock-summary").click()
    await operation.get_by_role("button", name="Try it out").click()
    await operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response").first
    await answer.wait_for()
    assert (await answer.locator(".response-col_status").inner_text()).strip() == "201"
    said = await answer.inner_text()
    for part in ('"subject": "The printer is on fire"', '"status": "open"', 'etag: "1"', "location: /tickets/"):
        assert part in said


async def test_the_pages_on_problems_are_read_one_after_another(visit: Visit, origin: str, tmp_path: Path) -> None:
    await visit.page.goto(f"{origin}/docs")
    address = await visit.page.get_by_role("link", name="each type").get_attribute("href")
    assert address == "/problems"
    await visit.page.goto(f"{origin}{address}")
    for kind in ALL:
        await visit.page.get_by_role("link", name=kind.title, exact=True).click()
        assert await visit.page.locator("h1").inner_text() == kind.title
        await visit.page.get_by_role("link", name="All problems").click()
    await assert_drawn(visit, tmp_path / "problems.png")


async def assert_drawn(visit: Visit, picture: Path) -> None:
    """Take a screenshot and see that there is something on it."""
    width, height, rows = rows_of(await visit.page.screenshot(path=picture))
    assert (width, height) == (1280, 1600)
    # A blank page is one row, over and over.
    assert len(set(rows)) > height // 10


def rows_of(png: bytes) -> tuple[int, int, list[bytes]]:
    """Return width, height and the rows of a PNG, each as it is stored before its filter is undone."""
    width, height = struct.unpack(">II", png[16:24])
    packed, position = b"", 8
    while position < len(png):
        length, kind = struct.unpack(">I4s", png[position : position + 8])
        if kind == b"IDAT":
            packed += png[position + 8 : position + 8 + length]
        position += length + 12
    stored = zlib.decompress(packed)
    stride = len(stored) // height
    return width, height, [stored[row * stride : (row + 1) * stride] for row in range(height)]
