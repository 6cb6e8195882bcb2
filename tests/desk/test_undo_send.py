"""A reply or a note can be called back for some seconds after it was sent."""

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from playwright.async_api import Browser, expect

from contract.browser import Visit, visiting
from core.settings import Settings
from support.desk_pages import field, page, post, ticket, typed, words_of
from support.factories import NewDatabase, a_comment, a_ticket, open_ticket, running, settings_for
from support.service_process import ServiceProcess

ME = "agent@example.com"
UNDO_S = 3
READY = "html[data-ready]"


def a_form(html: str, **fields: str) -> dict[str, str]:
    """Return the form of a page, filled."""
    sent = {name: field(html, name) for name in ("version", "key", "undo")}
    return sent | {"email": ME, "text": "Try it now", "visibility": "public"} | fields


@pytest.fixture(scope="module")
async def slow(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a service that sends nothing in the time of these tests."""
    async with (
        migrated_database() as dsn,
        running(settings_for(dsn, *redis_address, undo_send=60, work="off")) as (_, client),
    ):
        yield client


@pytest.fixture(scope="module")
def undo_service(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    log = tmp_path_factory.mktemp("undo") / "log"
    with ServiceProcess(log, settings, UNDO_SEND=str(UNDO_S)) as service:
        yield service


@pytest.fixture
async def undo_visit(undo_service: ServiceProcess, chromium: Browser) -> AsyncIterator[Visit]:
    async with visiting(undo_service.url, chromium) as visit:
        yield visit
        assert visit.errors == []


@pytest.fixture
async def plain_undo_visit(undo_service: ServiceProcess, chromium: Browser) -> AsyncIterator[Visit]:
    async with visiting(undo_service.url, chromium, java_script_enabled=False) as visit:
        yield visit
        assert visit.errors == []


async def test_a_sent_reply_waits_on_the_page_and_can_be_called_back(slow: httpx2.AsyncClient) -> None:
    made = await open_ticket(slow)
    path = f"tickets/{made['id']}"
    sent = await post(slow, f"{path}/comments", **a_form(await page(slow, path), status="answered"))
    assert sent.status_code == 303
    waiting = await page(slow, path)
    assert "Your reply is being sent" in words_of(waiting)
    assert "Try it now" in words_of(waiting)
    assert "<textarea" not in waiting
    back = await post(slow, f"{path}/call-back", visibility="public")
    assert back.status_code == 303
    assert back.headers["Location"].endswith(f"{path}?write=public#composer")
    assert typed(await page(slow, path)) == "Try it now"
    assert (await ticket(slow, made["id"]))["version"] == 1


async def test_a_note_that_was_called_back_is_a_note_again(slow: httpx2.AsyncClient) -> None:
    made = await open_ticket(slow)
    path = f"tickets/{made['id']}"
    form = a_form(await page(slow, path), visibility="internal", text="Ask the team")
    await post(slow, f"{path}/comments", **form)
    assert "Your note is being sent" in words_of(await page(slow, path))
    back = await post(slow, f"{path}/call-back", visibility="internal")
    html = await page(slow, back.headers["Location"].partition("/desk/")[2])
    assert typed(html) == "Ask the team"
    assert 'value="internal" checked' in html


async def test_a_form_that_is_sent_twice_waits_once_and_another_text_is_kept(slow: httpx2.AsyncClient) -> None:
    made = await open_ticket(slow)
    path = f"tickets/{made['id']}"
    form = a_form(await page(slow, path))
    assert [(await post(slow, f"{path}/comments", **form)).status_code for _ in range(2)] == [303, 303]
    other = await post(slow, f"{path}/comments", **form | {"text": "Something else"})
    assert other.status_code == 409
    assert "Another text of yours is being sent" in words_of(other.text)
    assert typed(other.text) == "Something else"


async def test_an_empty_save_of_another_tab_does_not_stop_a_reply(slow: httpx2.AsyncClient) -> None:
    made = await open_ticket(slow)
    path = f"tickets/{made['id']}"
    await post(slow, f"{path}/comments", **a_form(await page(slow, path)))
    empty = {"visibility": "public", "text": "", "counter": "1", "version": "1", "email": ME, "draft_id": ""}
    assert (await post(slow, f"{path}/draft", **empty)).status_code == 409
    assert "Try it now" in words_of(await page(slow, path))


async def test_a_reply_to_a_discussion_that_went_on_is_refused_at_once(slow: httpx2.AsyncClient) -> None:
    made = await open_ticket(slow)
    path = f"tickets/{made['id']}"
    form = a_form(await page(slow, path))
    await slow.post(f"/tickets/{made['id']}/comments", json=a_comment(text="It works again"))
    refused = await post(slow, f"{path}/comments", **form)
    assert refused.status_code == 409
    assert "It works again" in words_of(refused.text)
    assert typed(refused.text) == "Try it now"
    confirmed = await post(slow, f"{path}/comments", **a_form(refused.text))
    assert confirmed.status_code == 303
    assert "Your reply is being sent" in words_of(await page(slow, path))


@pytest.mark.parametrize("forged", [{"version": "9" * 18}, {"key": "k" * 300}, {"version": "x"}])
async def test_a_forged_form_is_refused(slow: httpx2.AsyncClient, forged: dict[str, str]) -> None:
    made = await open_ticket(slow)
    path = f"tickets/{made['id']}"
    refused = await post(slow, f"{path}/comments", **a_form(await page(slow, path)) | forged)
    assert refused.status_code == 422
    assert typed(refused.text) == "Try it now"


@pytest.mark.parametrize(
    ("change", "title"), [("closed", "The ticket is closed"), ("answered", "The status has changed")]
)
async def test_what_cannot_be_sent_is_refused_at_once(slow: httpx2.AsyncClient, change: str, title: str) -> None:
    made = await open_ticket(slow)
    path = f"tickets/{made['id']}"
    form = a_form(await page(slow, path), status="answered")
    await slow.patch(f"/tickets/{made['id']}", json={"status": change})
    refused = await post(slow, f"{path}/comments", **form)
    assert refused.status_code == 409
    assert title in words_of(refused.text)
    assert typed(refused.text) == "Try it now"


async def test_the_reply_is_sent_in_the_end_and_appears_by_itself(
    undo_visit: Visit, undo_service: ServiceProcess
) -> None:
    page = undo_visit.page
    made = undo_service.request("POST", "/tickets", a_ticket()).json()
    await page.goto(f"{undo_service.url}/desk/tickets/{made['id']}")
    await page.locator(READY).wait_for(state="attached")
    await page.get_by_label("Your email address").fill(ME)
    for text, is_undone in (("Too early", True), ("Just right", False)):
        await page.get_by_role("textbox", name="Text").fill(text)
        await page.keyboard.press("Control+Enter")
        await expect(page.get_by_role("heading", name="Your reply is being sent")).to_be_visible()
        if is_undone:
            await page.locator(READY).wait_for(state="attached")
            await page.keyboard.press("z")
            await expect(page.get_by_role("textbox", name="Text")).to_have_value(text)
            await expect(page.get_by_role("textbox", name="Text")).to_be_focused()
            await page.locator(READY).wait_for(state="attached")
    await expect(page.get_by_role("article").last).to_contain_text("Just right")
    await expect(page.get_by_role("textbox", name="Text")).to_have_value("")
    assert len(undo_service.request("GET", f"/tickets/{made['id']}").json()["comments"]) == 1


async def test_a_reply_that_is_refused_later_is_announced_on_the_next_page(
    undo_visit: Visit, undo_service: ServiceProcess
) -> None:
    page = undo_visit.page
    made = undo_service.request("POST", "/tickets", a_ticket()).json()
    await page.goto(f"{undo_service.url}/desk/tickets/{made['id']}")
    await page.locator(READY).wait_for(state="attached")
    await page.get_by_label("Your email address").fill(ME)
    await page.get_by_role("textbox", name="Text").fill("Unseen")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("heading", name="Your reply is being sent")).to_be_visible()
    await page.locator(READY).wait_for(state="attached")
    undo_service.request("POST", f"/tickets/{made['id']}/comments", a_comment(text="Never mind"))
    await page.goto(f"{undo_service.url}/desk/tickets")
    notice = page.get_by_role("alert").get_by_role("link")
    await expect(notice).to_have_text(f"Your comment on #{made['id']} was not sent. Open the ticket.")
    await notice.click()
    await expect(page.get_by_role("alert").filter(has_text="Not sent: there is something new")).to_be_visible()
    await expect(page.get_by_role("textbox", name="Text")).to_have_value("Unseen")


async def test_a_reply_is_called_back_without_scripts(plain_undo_visit: Visit, undo_service: ServiceProcess) -> None:
    page = plain_undo_visit.page
    made = undo_service.request("POST", "/tickets", a_ticket()).json()
    await page.goto(f"{undo_service.url}/desk/tickets/{made['id']}")
    await page.get_by_label("Your email address").fill(ME)
    await page.get_by_role("textbox", name="Text").fill("Too early")
    await page.get_by_role("button", name="Send", exact=True).click()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_role("textbox", name="Text")).to_have_value("Too early")
    assert undo_service.request("GET", f"/tickets/{made['id']}").json()["comments"] == []
