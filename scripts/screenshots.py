"""Take the screenshots of the README (`pipenv run screenshots`): a list in light, a ticket in dark.

`screenshots.py [URL [FOLDER]]` fills the empty service at URL with examples. Without a URL, it starts a service on
embedded servers, and stops it again.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import httpx2
from playwright.sync_api import ViewportSize, sync_playwright

ROOT: Final = Path(__file__).resolve().parent.parent
IMAGES: Final = ROOT / "docs" / "images"
LIGHT, DARK = "desk-light.png", "desk-dark.png"
_PORT: Final = 8123
_START_TIMEOUT_S: Final = 120
_SIZE: Final[ViewportSize] = {"width": 1200, "height": 720}

JSON = dict[str, Any]

# Subject, requester, priority, tags, status and the text of a reply.
_TICKETS: Final = (
    ("The scanner sends blank pages", "dinah@example.com", "low", ["scanner"], "closed", "It was upside down."),
    ("Where is the invoice of March?", "carol@example.com", "normal", ["billing"], "answered", "It is attached."),
    ("Cannot sign in since the update", "bob@example.com", "high", ["login", "vip"], "open", ""),
    ("No paper in the whole building", "erin@example.com", "normal", ["supplies"], "open", ""),
    ("Please add a desk to room 12", "frank@example.com", "low", ["furniture"], "answered", "On Monday at nine?"),
    ("The website is slow this morning", "grace@example.com", "urgent", ["web", "vip"], "open", ""),
)
_DISCUSSION: Final = (
    {"email": "agent@example.com", "text": "Have you tried water?", "status": "answered"},
    {"email": "alice@example.com", "text": "It burns again, and now the\ncurtains do too.", "status": "awaiting_reply"},
    {"email": "agent@example.com", "text": "The landlord has the keys of the cellar.", "visibility": "internal"},
)


def filled(url: str) -> int:
    """Create the examples, and return the id of the ticket to show."""
    group = _sent(url, "/groups", {"name": "Building"})
    agent = _sent(url, "/people", {"name": "Alan Agent", "email": "agent@example.com", "role": "agent"})
    for subject, email, priority, tags, status, reply in _TICKETS:
        new = {"subject": subject, "text": subject, "email": email, "priority": priority, "tags": tags}
        ticket = _sent(url, "/tickets", new)
        if reply:
            answer = {"email": "agent@example.com", "text": reply, "status": status}
            _sent(url, f"/tickets/{ticket['id']}/comments", answer)
    shown = _sent(
        url,
        "/tickets",
        {
            "subject": "The printer is on fire",
            "text": "It started after lunch. There is smoke in the whole corridor.",
            "email": "alice@example.com",
            "priority": "urgent",
            "tags": ["printer", "vip"],
            "group_id": group["id"],
            "assignee_id": agent["id"],
        },
    )
    for comment in _DISCUSSION:
        _sent(url, f"/tickets/{shown['id']}/comments", comment)
    return int(shown["id"])


def take(url: str, ticket_id: int, folder: Path) -> None:
    """Take the screenshots."""
    folder.mkdir(parents=True, exist_ok=True)
    shots: tuple[tuple[str, Literal["light", "dark"], str], ...] = (
        (LIGHT, "light", "/desk/tickets"),
        (DARK, "dark", f"/desk/tickets/{ticket_id}"),
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        for name, scheme, page_path in shots:
            context = browser.new_context(color_scheme=scheme, viewport=_SIZE, locale="en-GB")
            page = context.new_page()
            page.goto(url + page_path)
            page.locator("html[data-ready]").wait_for(state="attached")
            page.screenshot(path=folder / name)
            context.close()
        browser.close()


@contextmanager
def running_service() -> Iterator[str]:
    """Start a service with embedded servers and an empty folder, and yield its URL."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as data:
        environment = {"PATH": os.environ["PATH"], "PORT": str(_PORT), "DATA_DIR": data}
        process = subprocess.Popen([sys.executable, ROOT / "src" / "serve.py"], env=environment)
        try:
            url = f"http://127.0.0.1:{_PORT}"
            _wait(url)
            yield url
        finally:
            process.terminate()
            process.wait()


def _chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    folders = os.environ["PATH"].split(os.pathsep)
    return next(str(path) for name in names for folder in folders if (path := Path(folder) / name).exists())


def _wait(url: str) -> None:
    until = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            httpx2.get(f"{url}/readyz").raise_for_status()
        except httpx2.HTTPError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
        else:
            return


def _sent(url: str, path: str, body: JSON) -> JSON:
    response = httpx2.post(url + path, json=body).raise_for_status()
    created: JSON = response.json()
    return created


def main(arguments: list[str]) -> None:
    """Take the screenshots of a running service, or of one that is started for them."""
    folder = Path(arguments[1]) if len(arguments) > 1 else IMAGES
    if arguments:
        take(arguments[0], filled(arguments[0]), folder)
        return
    with running_service() as url:
        take(url, filled(url), folder)


if __name__ == "__main__":
    main(sys.argv[1:])
