"""A real browser that can reach the service only, and records its other requests and its errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.async_api import Browser, Page, Request, Route, async_playwright, expect

from support.programs import require_program

TIMEOUT_MS = 30_000

# Pages behave differently on 127.0.0.1: browsers treat it as secure and some tools as a developer machine.
HOST = "tickets.test"
_QUIET = [
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    f"--host-resolver-rules=MAP {HOST} 127.0.0.1",
]


_CONTEXT: Final[dict[str, Any]] = {"viewport": {"width": 1280, "height": 1600}, "service_workers": "block"}


@dataclass
class Visit:
    """A page, its requests to other hosts, and its errors."""

    page: Page
    foreign_requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@asynccontextmanager
async def running_chromium() -> AsyncIterator[Browser]:
    """Yield a headless Chromium, of which pages may be slow on a busy machine."""
    expect.set_options(timeout=TIMEOUT_MS)
    path = require_program("chromium", "chromium-browser", "google-chrome")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=_QUIET, timeout=TIMEOUT_MS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def visiting(origin: str, chromium: Browser, **options: Any) -> AsyncIterator[Visit]:
    """Yield a new page that may only send requests to `origin`.

    Its context, with the `options`, shares no cookies and no storage with others.
    """
    context = await chromium.new_context(**(_CONTEXT | options))
    try:
        context.set_default_timeout(TIMEOUT_MS)
        visit = Visit(await context.new_page())

        async def only_origin(route: Route) -> None:
            # data: and blob: URLs cause no network requests.
            if route.request.url.startswith((f"{origin}/", "data:", "blob:")):
                await route.continue_()
            else:
                visit.foreign_requests.append(route.request.url)
                await route.abort()

        await context.route("**/*", only_origin)
        watch(visit, visit.page)
        yield visit
    finally:
        await context.close()


def watch(visit: Visit, page: Page) -> None:
    """Record the errors of a page."""
    page.on("console", lambda message: visit.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("requestfailed", lambda request: _failed(visit, request))


def _failed(visit: Visit, request: Request) -> None:
    # The browser aborts open requests when the test leaves the page.
    if request.failure != "net::ERR_ABORTED":
        visit.errors.append(f"{request.url}: {request.failure}")
