"""The pages of requesters: their tickets, and nothing else."""

import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import Browser, expect

from contract.browser import visiting
from core.settings import Settings
from models import Role
from sign_in.conftest import Site, site
from support.axe import violations
from support.desk_pages import JSON, field, typed, words_of
from support.factories import NewDatabase, a_comment, a_ticket, running, settings_for
from support.service_process import ServiceProcess
from support.sign_in import FORM, Account, new_account, signed_in

__all__ = ["site"]


@pytest.fixture(scope="module")
async def api(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    """The JSON API as an agent."""
    key, _ = await site.app.state.keys._keys.create("api", Role.ADMIN)  # noqa: SLF001 - no admin key needed
    transport = httpx2.ASGITransport(app=site.app)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://tickets", headers=headers) as client:
        yield client


@pytest.fixture(scope="module")
async def alice(site: Site) -> Account:
    return await new_account(site.app, Role.REQUESTER)


@pytest.fixture
async def my(site: Site, alice: Account) -> AsyncIterator[httpx2.AsyncClient]:
    """The browser of a requester."""
    async with signed_in(site.app, alice) as client:
        yield client


async def created(api: httpx2.AsyncClient, email: str, **fields: object) -> JSON:
    response = await api.post("/tickets", json=a_ticket(email=email, **fields))
    assert response.status_code == 201, response.text
    ticket: JSON = response.json()
    return ticket


async def page(my: httpx2.AsyncClient, path: str) -> str:
    response = await my.get(f"/my/{path}")
    assert response.status_code == 200, response.text
    return response.text


async def post(my: httpx2.AsyncClient, path: str, **form: str) -> httpx2.Response:
    return await my.post(f"/my/{path}", data=form, headers=FORM)


async def now(api: httpx2.AsyncClient, ticket_id: int) -> JSON:
    ticket: JSON = (await api.get(f"/tickets/{ticket_id}", headers={"Cache-Control": "no-cache"})).json()
    return ticket


async def test_the_list_has_the_own_tickets_and_those_of_a_participant(
    my: httpx2.AsyncClient, api: httpx2.AsyncClient, alice: Account
) -> None:
    words = [f"w{secrets.token_hex(4)}" for _ in range(3)]
    await created(api, alice.email, subject=words[0])
    joined = await created(api, "bob@example.com", subject=words[1])
    await created(api, "bob@example.com", subject=words[2])
    await api.put(f"/tickets/{joined['id']}/participants/{alice.email}")
    listed = words_of(await page(my, "tickets"))
    assert [word in listed for word in words] == [True, True, False]
    found = words_of(await page(my, f"tickets?q={words[0]}"))
    assert (words[0] in found, words[1] in found) == (True, False)


@pytest.mark.parametrize(
    ("status", "turn", "state"),
    [("open", "We answer next", "open"), ("answered", "Answered: your turn", "open"), ("closed", "Closed", "closed")],
)
async def test_the_list_says_whose_turn_it_is(
    my: httpx2.AsyncClient, api: httpx2.AsyncClient, alice: Account, status: str, turn: str, state: str
) -> None:
    word = f"w{secrets.token_hex(4)}"
    made = await created(api, alice.email, subject=word)
    if status != "open":
        await api.patch(f"/tickets/{made['id']}", json={"status": status})
    assert f"{word} {turn}" in words_of(await page(my, f"tickets?state={state}"))
    other = {"open": "closed", "closed": "open"}[state]
    assert word not in words_of(await page(my, f"tickets?state={other}"))


async def test_pages_continue_the_list(my: httpx2.AsyncClient, api: httpx2.AsyncClient, alice: Account) -> None:
    word = f"w{secrets.token_hex(4)}"
    made = {(await created(api, alice.email, subject=word))["id"] for _ in range(51)}
    seen: set[int] = set()
    path = f"tickets?q={word}"
    while path:
        html = await page(my, path)
        seen |= {int(number) for number in re.findall(r"my/tickets/(\d+)", html)}
        following = re.search(r'rel="next" href="\?([^"]*)"', html)
        path = f"tickets?{following[1].replace('&amp;', '&')}" if following else ""
    assert seen == made


async def test_notes_internal_fields_and_other_tickets_are_not_shown(
    my: httpx2.AsyncClient, api: httpx2.AsyncClient, alice: Account
) -> None:
    for key, is_visible in (("device", True), ("margin", False)):
        field_ = {"key": key, "label": key.title(), "type": "text", "visible_to_requester": is_visible}
        await api.post("/fields", json=field_)
    custom = {"device": "printer", "margin": "hidden-margin"}
    made = await created(api, alice.email, custom=custom, tags=["hidden-tag"])
    note = a_comment(text="hidden-note", visibility="internal")
    await api.post(f"/tickets/{made['id']}/comments", json=note)
    await api.post(f"/tickets/{made['id']}/comments", json=a_comment(text="Have you tried water?"))
    html = await page(my, f"tickets/{made['id']}")
    for kind in ("margin", "tag", "note"):
        assert f"hidden-{kind}" not in html
    assert "Have you tried water?" in words_of(html)
    assert "Device printer" in words_of(html)
    other = await created(api, "bob@example.com")
    for path in (str(other["id"]), "999999999"):
        assert (await my.get(f"/my/tickets/{path}")).status_code == 404
        assert (await post(my, f"tickets/{path}/comments", text="x", key="k")).status_code == 404


async def test_a_reply_is_sent_once_and_asks_for_an_answer(
    my: httpx2.AsyncClient, api: httpx2.AsyncClient, alice: Account
) -> None:
    made = await created(api, alice.email)
    path = f"tickets/{made['id']}"
    await api.patch(f"/tickets/{made['id']}", json={"status": "answered"})
    form = {"text": "It burns again\nbadly", "key": field(await page(my, path), "key")}
    for _ in range(2):
        sent = await post(my, f"{path}/comments", **form)
        assert sent.status_code == 303
    ticket = await now(api, made["id"])
    assert ticket["status"] == "awaiting_reply"
    assert [(each["email"], each["text"]) for each in ticket["comments"]] == [(alice.email, "It burns again\nbadly")]


async def test_a_refused_reply_keeps_its_text(my: httpx2.AsyncClient, api: httpx2.AsyncClient, alice: Account) -> None:
    made = await created(api, alice.email)
    path = f"tickets/{made['id']}"
    key = field(await page(my, path), "key")
    await api.patch(f"/tickets/{made['id']}", json={"status": "closed"})
    refused = await post(my, f"{path}/comments", text="One more thing", key=key)
    assert refused.status_code == 409
    assert "The ticket is closed" in words_of(refused.text)
    assert typed(refused.text) == "One more thing"
    opened = await post(my, f"{path}/follow-up", text=typed(refused.text), key=field(refused.text, "key"))
    assert opened.status_code == 303
    number = int(opened.headers["Location"].partition("my/tickets/")[2].partition("#")[0])
    follow_up = await now(api, number)
    assert (follow_up["follow_up_of"], follow_up["email"]) == (made["id"], alice.email)
    assert f"Continued in #{number}" in words_of(await page(my, path))


@pytest.mark.parametrize("has_text", [True, False])
async def test_a_requester_closes_a_ticket(
    my: httpx2.AsyncClient, api: httpx2.AsyncClient, alice: Account, has_text: bool
) -> None:
    made = await created(api, alice.email)
    path = f"tickets/{made['id']}"
    if has_text:
        done = await post(my, f"{path}/comments", text="Thanks", close="true", key=field(await page(my, path), "key"))
    else:
        done = await post(my, f"{path}/close")
    assert done.status_code == 303
    ticket = await now(api, made["id"])
    assert (ticket["status"], len(ticket["comments"])) == ("closed", has_text)


async def test_a_new_ticket_belongs_to_the_requester(
    my: httpx2.AsyncClient, api: httpx2.AsyncClient, alice: Account
) -> None:
    form = {"subject": "New\u202e one", "text": "", "key": field(await page(my, "tickets/new"), "key")}
    refused = await post(my, "tickets", **form)
    assert refused.status_code == 422
    assert field(refused.text, "subject") == "New\u202e one"
    sent = {"subject": "New one", "text": "w" * 65_536, "key": field(refused.text, "key"), "email": "bob@example.com"}
    made = await post(my, "tickets", **sent)
    assert made.status_code == 303
    assert (await post(my, "tickets", **sent)).headers["Location"] == made.headers["Location"]
    ticket = await now(api, int(made.headers["Location"].partition("my/tickets/")[2]))
    assert (ticket["email"], ticket["subject"], len(ticket["text"])) == (alice.email, "New one", 65_536)


async def test_hostile_texts_stay_texts(my: httpx2.AsyncClient, api: httpx2.AsyncClient, alice: Account) -> None:
    made = await created(api, alice.email, subject="<script>alert(1)</script>", text="</textarea><img src=x>")
    for path in ("tickets", f"tickets/{made['id']}"):
        html = await page(my, path)
        assert "<script>alert" not in html
        assert "<img" not in html


async def test_each_role_has_its_first_page(site: Site, my: httpx2.AsyncClient) -> None:
    assert (await my.get("/my")).headers["Location"] == "./my/tickets"
    assert (await my.get("/desk/tickets")).status_code == 403
    html = await page(my, "tickets")
    assert "desk/" not in re.sub(r"desk/assets/[^\"]*", "", html)
    async with signed_in(site.app, await new_account(site.app)) as agent:
        for path in ("tickets", "tickets/new", "tickets/1"):
            led = await agent.get(f"/my/{path}")
            assert (led.status_code, led.headers["Location"].endswith("desk")) == (303, True)
        assert (await post(agent, "tickets/1/close")).headers["Location"].endswith("desk")


async def test_without_a_session_the_sign_in_comes_first(site: Site) -> None:
    transport = httpx2.ASGITransport(app=site.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000", headers=FORM) as nobody:
        asked = await nobody.get("/my/tickets")
    assert (asked.status_code, "sign-in" in asked.headers["Location"]) == (303, True)


async def test_agents_reach_the_link_from_the_ticket(site: Site, api: httpx2.AsyncClient) -> None:
    made = await created(api, "carol+x@example.com")
    async with signed_in(site.app, await new_account(site.app)) as agent:
        html = (await agent.get(f"/desk/tickets/{made['id']}")).text
        assert "desk/sign-in-links?email=carol%2Bx%40example.com" in html
        form = (await agent.get("/desk/sign-in-links?email=carol%2Bx%40example.com")).text
        assert field(form, "email") == "carol+x@example.com"


@pytest.fixture
async def own_service(
    migrated_database: NewDatabase, redis_address: tuple[str, int], tmp_path: Path
) -> AsyncIterator[tuple[ServiceProcess, Account, Settings]]:
    """A service with a requester who can sign in."""
    async with migrated_database() as dsn:
        settings = settings_for(dsn, *redis_address, allow_anonymous=False)
        async with running(settings) as (app, _):
            await new_account(app, Role.ADMIN)
            requester = await new_account(app, Role.REQUESTER)
        async with ServiceProcess(tmp_path / "log", settings) as service:
            yield service, requester, settings


async def test_in_a_browser_nothing_typed_is_lost_and_axe_finds_nothing(
    own_service: tuple[ServiceProcess, Account, Settings], chromium: Browser
) -> None:
    service, requester, _ = own_service
    found: dict[tuple[str, str, str], str] = {}
    async with visiting(service.url, chromium, viewport={"width": 320, "height": 800}) as visit:
        tab = visit.page
        await tab.goto(f"{service.url}/my/tickets/new")
        await tab.get_by_label("Email address").fill(requester.email)
        await tab.get_by_label("Password").fill(requester.password)
        await tab.get_by_role("button", name="Sign in", exact=True).click()
        await tab.get_by_label("Subject").fill("w" * 255)
        await tab.get_by_label("Text").fill("It burns")
        await tab.close(run_before_unload=False)
        tab = await visit.page.context.new_page()
        await tab.goto(f"{service.url}/my/tickets/new")
        await expect(tab.get_by_label("Text")).to_have_value("It burns")
        await tab.get_by_label("Subject").fill("w" * 255)
        await tab.get_by_role("button", name="Send", exact=True).click()
        await expect(tab.get_by_role("article")).to_contain_text("It burns")
        ticket = tab.url
        for url in (ticket, f"{service.url}/my/tickets", f"{service.url}/my/tickets/new", f"{service.url}/my/account"):
            await tab.goto(url)
            found |= await violations(tab, url)
            assert await tab.evaluate("document.documentElement.scrollWidth") <= 320, url
        await tab.goto(f"{service.url}/my/tickets/new")
        await expect(tab.get_by_label("Text")).to_have_value("")
        assert (visit.foreign_requests, visit.errors) == ([], [])
    assert found == {}
