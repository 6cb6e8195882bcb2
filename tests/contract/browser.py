"""A real browser, which is let go nowhere but to the service, and remembers what it tried."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from playwright.async_api import Page, Request, Route, async_playwright

WITHIN_MS = 30_000

# Pages behave otherwise on 127.0.0.1, which browsers trust and some tools take for a developer's machine.
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


@dataclass
class Visit:
    """A page, the requests it made that would have left the service, and the errors it had."""

    page: Page
    strayed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@asynccontextmanager
async def visiting(origin: str, chromium: str) -> AsyncIterator[Visit]:
    """Yield a new page of a headless Chromium that may only send requests to `origin`."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=_QUIET, timeout=WITHIN_MS)
        try:
            context = await browser.new_context(viewport={"width": 1280, "height": 1600}, service_workers="block")
            context.set_default_timeout(WITHIN_MS)
            visit = Visit(await context.new_page())

            async def stay(route: Route) -> None:
                # Pictures and workers that the page makes of itself are no requests to anybody.
                if route.request.url.startswith((f"{origin}/", "data:", "blob:")):
                    await route.continue_()
                else:
                    visit.strayed.append(route.request.url)
                    await route.abort()

            await context.route("**/*", stay)
            visit.page.on("console", lambda said: visit.errors.append(said.text) if said.type == "error" else None)
            visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
            visit.page.on("requestfailed", lambda request: _failed(visit, request))
            yield visit
        finally:
            await browser.close()


def _failed(visit: Visit, request: Request) -> None:
    # What was still under way when the page was left is given up, and nobody misses it.
    if request.failure != "net::ERR_ABORTED":
        visit.errors.append(f"{request.url}: {request.failure}")
