"""Problems below /desk are pages in the language of the browser; those of the API stay as they are."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from api.problems.types import ALL_PROBLEM_TYPES
from core.settings import Settings
from desk import composing
from desk.languages import Languages
from desk.problem_words import FAILED, PROBLEMS, words_for
from models import Role
from support.desk_pages import page, post, words_of
from support.factories import running
from support.sign_in import FORM, new_account, signed_in


async def test_an_unknown_page_says_so_in_both_languages(client: httpx2.AsyncClient) -> None:
    assert "Page not found" in words_of(await page(client, "nowhere", 404))
    html = await page(client, "nowhere", 404, **{"Accept-Language": "ru"})
    assert "Страница не найдена" in words_of(html)
    assert '<html lang="ru"' in html


async def test_a_problem_page_has_the_headers_of_the_problem(client: httpx2.AsyncClient) -> None:
    response = await client.put("/desk/tickets", headers=FORM)
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert response.headers["X-Request-Id"] in response.text
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert response.headers.get_list("Content-Type") == ["text/html; charset=utf-8"]


async def test_without_credentials_the_desk_asks_for_them(settings: Settings) -> None:
    async with running(settings.model_copy(update={"allow_anonymous": False})) as (_, client):
        html = await page(client, "tickets", 421)
        assert "open on its own machine only" in words_of(html)


async def test_the_desk_is_for_agents(app: FastAPI) -> None:
    for role, expected in ((Role.AGENT, 200), (Role.REQUESTER, 403)):
        async with signed_in(app, await new_account(app, role)) as client:
            response = await client.get("/desk/tickets")
            assert (response.status_code, "Permission denied" in words_of(response.text)) == (expected, expected == 403)


async def test_a_form_that_is_too_large_or_no_form_is_refused(client: httpx2.AsyncClient) -> None:
    large = await client.post("/desk/tickets", content=b"text=" + b"a" * 2**20, headers=FORM)
    assert (large.status_code, "Too large" in words_of(large.text)) == (413, True)

    async def in_chunks() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b"text=" + b"a" * 2**16

    assert (await client.post("/desk/tickets", content=in_chunks(), headers=FORM)).status_code == 413
    for content in (b"text=%FF", "text=\u00e9".encode(), b"&".join(b"a=1" for _ in range(400))):
        assert (await client.post("/desk/tickets", content=content, headers=FORM)).status_code == 422


async def test_a_defect_is_a_page_with_the_number_of_the_request(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(composing, "show_ticket", fail)
    async with running(settings) as (_, client):
        response = await client.get("/desk/tickets/1")
    assert response.status_code == 500
    shown = words_of(response.text)
    assert FAILED[0] in shown
    assert response.headers["X-Request-Id"] in shown
    assert "secret" not in response.text


def test_each_word_is_of_a_problem_that_exists_and_is_translated() -> None:
    russian = Languages().all["ru"]
    assert PROBLEMS.keys() <= {each.slug for each in ALL_PROBLEM_TYPES}
    for each in ALL_PROBLEM_TYPES:
        for text in words_for(each.slug, each.status):
            assert russian.gettext(text) != text


async def test_the_api_keeps_its_problems(client: httpx2.AsyncClient, app: FastAPI) -> None:
    response = await client.get("/tickets/999999999")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert not any(path.startswith("/desk") for path in app.openapi()["paths"])


async def test_the_stream_refuses_with_a_problem(client: httpx2.AsyncClient) -> None:
    response = await client.get("/desk/events?after=x", headers={"Accept": "text/event-stream"})
    assert (response.status_code, response.headers["Content-Type"]) == (422, "application/problem+json")


async def test_forms_keep_their_page_and_buttons_have_one(client: httpx2.AsyncClient) -> None:
    response = await post(client, "tickets/999999999/comments", text="x", version="1", email="a@example.com")
    assert response.status_code == 404
    assert "Ticket not found" in words_of(response.text)
