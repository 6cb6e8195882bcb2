"""What answers tell a browser."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from api.middleware.request_body import RequestBodyMiddleware
from support.factories import a_ticket, open_ticket, running, settings_for

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
PAGES = ("/docs", "/problems", "/problems/ticket-closed")
FILES = ("/openapi.json", "/docs/assets/swagger-ui.css")
OTHERS = ("/livez", "/tickets", "/tickets/0", "/nothing", *FILES)


@pytest.mark.parametrize("path", [*PAGES, *OTHERS])
async def test_every_answer_carries_them_once(client: httpx2.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    for name, value in ALWAYS.items():
        assert headers.get_list(name) == [value]
    (policy,) = headers.get_list("Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert len(headers.get_list("X-Request-Id")) == 1


async def test_answers_to_programs_may_do_nothing_in_a_browser(client: httpx2.AsyncClient) -> None:
    for path in OTHERS:
        policy = (await client.get(path)).headers["Content-Security-Policy"]
        assert policy == "default-src 'none'; frame-ancestors 'none'"


async def test_no_page_runs_a_script_that_it_was_not_given(client: httpx2.AsyncClient) -> None:
    for path in PAGES:
        policy = (await client.get(path)).headers["Content-Security-Policy"]
        scripts = policy.partition("script-src")[2].partition(";")[0]
        assert "unsafe" not in scripts
        assert "*" not in policy
        assert "http" not in policy


async def test_an_unexpected_error_carries_them_too(database_dsn: str, redis_address: tuple[str, int]) -> None:
    async with running(settings_for(database_dsn, *redis_address)) as (app, client):
        app.state.lists = None
        answer = await client.get("/tickets")
    assert answer.status_code == 500
    for name, value in ALWAYS.items():
        assert answer.headers.get_list(name) == [value]
    assert answer.headers["Cache-Control"] == "no-store"


async def test_what_people_wrote_is_not_kept(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    path = f"/tickets/{ticket['id']}"
    assert (await client.post("/tickets", json=a_ticket())).headers["Cache-Control"] == "no-store"
    for kept in ("/tickets", f"{path}/comments", f"{path}/history"):
        assert (await client.get(kept)).headers["Cache-Control"] == "no-store"
    assert (await client.get(path)).headers.get_list("Cache-Control") == ["no-cache"]
    assert "Cache-Control" not in (await client.get("/workflow")).headers


async def test_only_https_is_told_to_stay_https(app: FastAPI, client: httpx2.AsyncClient) -> None:
    assert "Strict-Transport-Security" not in (await client.get("/livez")).headers
    by_https = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="https://tickets")
    assert (await by_https.get("/livez")).headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("cut", [1, 7, 10**6])
async def test_a_body_is_handed_on_as_it_came(cut: int) -> None:
    """To what takes it in one piece or in several; what comes after it, the end of the connection, is handed on too."""
    parts = [b"abcdefghij"[start : start + cut] for start in range(0, 10, cut)]
    messages = [{"type": "http.request", "body": part, "more_body": part is not parts[-1]} for part in parts]
    messages.append({"type": "http.disconnect"})
    coming, got = iter(messages), []

    async def receive() -> dict[str, object]:
        return next(coming)

    async def app(_scope: object, receive: object, _send: object) -> None:
        got.extend([await receive() for _ in messages])  # type: ignore[operator] # an ASGI receive

    scope = {"type": "http", "path": "/tickets", "headers": [(b"transfer-encoding", b"chunked")]}
    await RequestBodyMiddleware(app, timeout_s=5, max_bytes=5)(scope, receive, None)  # type: ignore[arg-type] # sends nothing
    assert got == messages


async def test_a_large_upload_is_refused_though_its_length_is_not_told(client: httpx2.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65_536
            await asyncio.sleep(0)

    answer = await client.post("/tickets", content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
