"""Accessibility, as axe checks it: the rules of WCAG 2.2 AA and its best practices, in light and in dark."""

import json
from typing import Final

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page

from support.factories import JSON

# Without the results of the rules that hold, of which there are many.
_RESULTS: Final[JSON] = {"resultTypes": ["violations"]}
_TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RULES: Final[JSON] = _RESULTS | {"runOnly": {"type": "tag", "values": _TAGS}}
# The rules whose result depends on the colour scheme.
_COLOURS: Final[JSON] = _RESULTS | {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


async def violations(page: Page, name: str = "", *, is_dark: bool = True) -> dict[tuple[str, str, str], str]:
    """Return what axe finds in a page, by `name`, rule and element: everything in light, and the colours in dark."""
    await page.evaluate(AXE_SCRIPT)
    await page.emulate_media(color_scheme="light")
    found = await _found(page, name, _RULES)
    if not is_dark:
        return found
    await page.emulate_media(color_scheme="dark")
    found |= await _found(page, f"{name}, dark", _COLOURS)
    await page.emulate_media(color_scheme="light")
    return found


async def _found(page: Page, name: str, options: JSON) -> dict[tuple[str, str, str], str]:
    results: JSON = await page.evaluate(f"axe.run({json.dumps(options)})")
    return {
        (name, violation["id"], node["html"][:200]): node["failureSummary"]
        for violation in results["violations"]
        for node in violation["nodes"]
    }
