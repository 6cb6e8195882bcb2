"""The security headers of responses, and bodies that the middleware passes on."""

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
async def test_every_response_has_each_header_once(client: httpx2.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    for name, value in ALWAYS.items():
        assert headers.get_list(name) == [value]
    (policy,) = headers.get_list("Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert len(headers.get_list("X-Request-Id")) == 1


async def test_responses_for_programs_forbid_everything_in_a_browser(client: httpx2.AsyncClient) -> None:
    for path in OTHERS:
        policy = (await client.get(path)).headers["Content-Security-Policy"]
        assert policy == "default-src 'none'; frame-ancestors 'none'"


async def test_no_page_allows_inline_or_foreign_scripts(client: httpx2.AsyncClient) -> None:
    for path in PAGES:
        policy = (await client.get(path)).headers["Content-Security-Policy"]
        scripts = policy.partition("script-src")[2].partition(";")[0]
        assert "unsafe" not in scripts
        assert "*" not in policy
        assert "http" not in policy


async def test_an_unexpected_error_has_them_too(database_dsn: str, redis_address: tuple[str, int]) -> None:
    async with running(settings_for(database_dsn, *redis_address)) as (app, client):
        app.state.lists = None
        response = await client.get("/tickets")
    assert response.status_code == 500
    for name, value in ALWAYS.items():
        assert response.headers.get_list(name) == [value]
    assert response.headers["Cache-Control"] == "no-store"


async def test_responses_with_ticket_texts_are_not_stored(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    path = f"/tickets/{ticket['id']}"
    assert (await client.post("/tickets", json=a_ticket())).headers["Cache-Control"] == "no-store"
    for listed in ("/tickets", f"{path}/comments", f"{path}/history"):
        assert (await client.get(listed)).headers["Cache-Control"] == "no-store"
    assert (await client.get(path)).headers.get_list("Cache-Control") == ["no-cache"]
    assert "Cache-Control" not in (await client.get("/workflow")).headers


async def test_strict_transport_security_is_sent_over_https_only(app: FastAPI, client: httpx2.AsyncClient) -> None:
    assert "Strict-Transport-Security" not in (await client.get("/livez")).headers
    over_https = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="https://tickets")
    assert (await over_https.get("/livez")).headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("cut", [1, 7, 10**6])
async def test_a_body_is_passed_on_unchanged(cut: int) -> None:
    """In one part or in several, followed by the end of the connection."""
    parts = [b"abcdefghij"[start : start + cut] for start in range(0, 10, cut)]
    messages = [{"type": "http.request", "body": part, "more_body": part is not parts[-1]} for part in parts]
    messages.append({"type": "http.disconnect"})
    arriving, received = iter(messages), []

    async def receive() -> dict[str, object]:
        return next(arriving)

    async def app(_scope: object, receive: object, _send: object) -> None:
        received.extend([await receive() for _ in messages])  # type: ignore[operator] # an ASGI receive

    scope = {"type": "http", "path": "/tickets", "headers": [(b"transfer-encoding", b"chunked")]}
    await RequestBodyMiddleware(app, timeout_s=5, max_bytes=5)(scope, receive, None)  # type: ignore[arg-type] # sends nothing
    assert received == messages


async def test_a_large_upload_without_a_declared_length_is_refused(client: httpx2.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65_536
            await asyncio.sleep(0)

    response = await client.post("/tickets", content=endless(), headers={"Content-Type": "application/json"})
    assert response.status_code == 413
