"""Swagger UI and the problem pages in a real browser that can reach the service only."""

import json
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from api.problems.types import ALL_PROBLEM_TYPES
from contract.browser import HOST, Visit, visiting
from core.settings import ROOT
from models import EventKind
from services.webhooks.payload import TEST_TYPE

OPERATIONS = [
    (method.upper(), path, operation["summary"])
    for path, methods in json.loads((ROOT / "openapi.json").read_text())["paths"].items()
    for method, operation in methods.items()
]


@pytest.fixture
def origin(service_url: str) -> str:
    return service_url.replace("127.0.0.1", HOST)


@pytest.fixture
async def visit(origin: str, chromium: Browser) -> AsyncIterator[Visit]:
    async with visiting(origin, chromium) as visit:
        yield visit
        assert visit.foreign_requests == []
        assert visit.errors == []


async def test_swagger_ui_lists_every_operation(visit: Visit, origin: str, tmp_path: Path) -> None:
    await visit.page.goto(f"{origin}/docs")
    operations = visit.page.locator(".opblock-summary")
    await operations.nth(len(OPERATIONS) - 1).wait_for()
    shown = {" ".join((await operation.inner_text()).split()) for operation in await operations.all()}
    sent = {f"POST {name} {name}" for name in (*EventKind, TEST_TYPE)}  # to webhooks
    # Swagger UI puts zero-width spaces into long paths.
    shown = {line.replace("\u200b", "") for line in shown}
    assert shown == {f"{method} {path} {summary}" for method, path, summary in OPERATIONS} | sent
    await assert_drawn(visit, tmp_path / "docs.png")


async def test_swagger_ui_creates_a_ticket_from_the_example(visit: Visit, origin: str) -> None:
    await visit.page.goto(f"{origin}/docs")
    operation = visit.page.locator("#operations-tickets-create_ticket")
    await operation.locator(".opblock-summary").click()
    await operation.get_by_role("button", name="Try it out").click()
    await operation.get_by_role("button", name="Execute").click()
    response = operation.locator(".live-responses-table .response").first
    await response.wait_for()
    assert (await response.locator(".response-col_status").inner_text()).strip() == "201"
    text = await response.inner_text()
    for part in ('"subject": "The printer is on fire"', '"status": "open"', 'etag: "1"', "location: /tickets/"):
        assert part in text


async def test_problem_pages_can_be_reached_and_left(visit: Visit, origin: str, tmp_path: Path) -> None:
    await visit.page.goto(f"{origin}/docs")
    address = await visit.page.get_by_role("link", name="each type").get_attribute("href")
    assert address == "/problems"
    await visit.page.goto(f"{origin}{address}")
    links = await visit.page.locator("main a, body a").all_inner_texts()
    assert {problem_type.title for problem_type in ALL_PROBLEM_TYPES} <= set(links)
    for problem_type in ALL_PROBLEM_TYPES[::10]:  # all have the same template
        await visit.page.get_by_role("link", name=problem_type.title, exact=True).click()
        assert await visit.page.locator("h1").inner_text() == problem_type.title
        await visit.page.get_by_role("link", name="All problems").click()
    await assert_drawn(visit, tmp_path / "problems.png")


async def assert_drawn(visit: Visit, picture: Path) -> None:
    """Take a screenshot and check that it is not blank."""
    width, height, rows = rows_of(await visit.page.screenshot(path=picture))
    assert (width, height) == (1280, 1600)
    # All rows of a blank page are equal.
    assert len(set(rows)) > height // 10


def rows_of(png: bytes) -> tuple[int, int, list[bytes]]:
    """Return the width, the height and the rows of a PNG; the rows are still filtered."""
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
