"""The fast path returns the same responses as the router, byte for byte."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.types import ASGIApp

import middleware
from api.middleware.fast_path import FastPathMiddleware
from core.settings import Settings
from support.factories import a_comment, open_ticket, running

FAST, ROUTED = "fast", "routed"


class _Disabled(FastPathMiddleware):
    """Leaves every request to the router."""

    def __new__(cls, app: ASGIApp, **_: object) -> ASGIApp:  # type: ignore[misc] # returns the application itself
        return app


@pytest.fixture(scope="module")
async def clients(settings: Settings) -> AsyncIterator[dict[str, httpx2.AsyncClient]]:
    """Clients of two services on the same database: one with the fast path, and one without."""
    with pytest.MonkeyPatch.context() as patch:
        async with running(settings) as (_, fast):
            patch.setattr(middleware, "FastPathMiddleware", _Disabled)
            async with running(settings) as (_, routed):
                yield {FAST: fast, ROUTED: routed}


PATHS = [
    *("{id}", "{id}?page=2", "{id}/", "0", "01", "+1", "abc", "9223372036854775807", "9223372036854775808", "%31"),
    *(
        "?",
        "?limit=2",
        "?limit=2&status=open",
        "?status=open&status=closed&limit=3",
        "?limit=0",
        "?limit=+1",
        "?limit=",
    ),
    *("?q=printer", "?q=%D0%BF%D1%80%D0%B8%D0%BD%D1%82%D0%B5%D1%80", "?q=", "?q=%00", "?q=a&q=printer", "?status="),
    *("?email=ALICE@example.com&limit=1", "?email=", "?sort=updated_at&limit=2", "?sort=id", "?sort=other", "?other=1"),
    *("?created_after=2020-01-01T00:00:00Z&limit=2", "?created_after=1", "?created_after=2020-01-01", "?cursor=none"),
    *(
        "?limit=2&cursor={cursor}",
        "?cursor={cursor}&limit=2",
        "?cursor={cursor}&limit=2&q=printer",
        "?%6Cimit=2",
        "?limit=",
    ),
]
HEADERS = [
    {},
    {"If-None-Match": '"2"'},
    {"If-None-Match": 'W/"2"'},
    {"If-None-Match": '"1", "2"'},
    {"If-None-Match": '"1"'},
    {"If-None-Match": "*"},
    {"If-None-Match": "nonsense"},
    {"If-None-Match": ""},
    {"Cache-Control": "no-cache"},
    {"Cache-Control": "max-age=0"},
    {"Accept": "text/html"},
    {"X-Request-Id": "mine"},
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", PATHS)
async def test_fast_path_and_router_return_the_same_response(
    clients: dict[str, httpx2.AsyncClient], method: str, path: str
) -> None:
    ticket = await open_ticket(clients[FAST])
    own = f"/tickets/{ticket['id']}"
    await clients[FAST].post(f"{own}/comments", json=a_comment())
    cursor = (await clients[FAST].get("/tickets?limit=2")).json()["next_cursor"]
    target = "/tickets" + ("" if path.startswith("?") else "/") + path.format(id=ticket["id"], cursor=cursor)
    await clients[FAST].get(target)
    for headers in HEADERS:
        sent = {"X-Request-Id": "the-same"} | headers
        fast, routed = [await clients[name].request(method, target, headers=sent) for name in (FAST, ROUTED)]
        assert (fast.status_code, fast.content) == (routed.status_code, routed.content), headers
        assert sorted(fast.headers.multi_items()) == sorted(routed.headers.multi_items()), headers


def refuse_to_route(patch: pytest.MonkeyPatch) -> None:
    """Let every request fail that reaches the router."""

    async def not_reached(*_: object) -> None:
        raise AssertionError("the request reached the router")

    patch.setattr("fastapi.routing.APIRouter.handle", not_reached)


JSON_TYPE = {"Content-Type": "application/json"}
EMAIL = '"email": "bob@example.com"'
NEW = f'{{"subject": "New", "text": "It is new.", {EMAIL}}}'
COMMENT = f'{{{EMAIL}, "text": "Have you tried water?"}}'
WRITES = [
    *(("POST", "", body) for body in (NEW, COMMENT, "{}", "", "nonsense", "[]", "null", f"{NEW} 1", NEW.upper())),
    *(("POST", "", f'{{"subject": {subject}, "text": "x", {EMAIL}}}') for subject in ('"\\ud800"', "NaN", '""', "7")),
    ("POST", "", NEW.replace("{", '{"subject": "Earlier", ')),
    ("POST", "", NEW.replace("bob@example.com", "Bob <bob@example.com>")),
    *(("POST", "{id}/comments", body) for body in (COMMENT, NEW, "{}", COMMENT.replace("}", ', "status": null}'))),
    ("POST", "{id}/comments", COMMENT.replace("}", ', "status": "answered"}')),
    ("POST", "{id}/comments", COMMENT.replace("}", ', "status": "awaiting_reply"}')),
    ("POST", "{id}/comments?page=1", COMMENT),
    *(("POST", f"{path}/comments", COMMENT) for path in ("0", "01", "9223372036854775808", "9223372036854775807", "x")),
    *(("PATCH", "{id}", body) for body in ('{"subject": "Other"}', "{}", '{"status": "answered"}', '{"id": 7}', "[1]")),
    ("PATCH", "{id}", '{"status": "awaiting_reply", "subject": "Other"}'),
    ("PATCH", "{id}", '{"subject": null}'),
    ("PATCH", "9223372036854775807", '{"subject": "Other"}'),
    *(("PUT", "{id}", "{}"), ("POST", "{id}", "{}"), ("PATCH", "", "{}"), ("DELETE", "{id}/comments", "")),
]
WRITE_HEADERS = [
    JSON_TYPE,
    {"Content-Type": "application/json; charset=utf-8"},
    {"Content-Type": "application/merge-patch+json"},
    {"Content-Type": "application/json-patch+json"},
    {"Content-Type": "text/plain"},
    {},
    JSON_TYPE | {"If-Match": '"1"'},
    JSON_TYPE | {"If-Match": '"7"'},
    JSON_TYPE | {"If-None-Match": "*"},
]
_VARYING = re.compile(rb'"(id|ticket_id)":\d+|"\w+_at":"[^"]+"|/tickets/\d+')


def without_ids_and_times(content: bytes) -> bytes:
    return _VARYING.sub(b"", content)


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_fast_path_and_router_write_the_same(
    clients: dict[str, httpx2.AsyncClient], method: str, path: str, body: str
) -> None:
    for headers in WRITE_HEADERS:
        responses = []
        for name in (FAST, ROUTED):
            ticket = await open_ticket(clients[name])
            target = "/tickets" + ("/" if path else "") + path.format(id=ticket["id"])
            sent = {"X-Request-Id": "the-same"} | headers
            response = await clients[name].request(method, target, headers=sent, content=body)
            found = (await clients[name].get(f"/tickets/{ticket['id']}")).content
            headers_sent = {key: without_ids_and_times(value.encode()) for key, value in response.headers.items()}
            headers_sent.pop("content-length", None)
            responses.append(
                (
                    response.status_code,
                    without_ids_and_times(response.content),
                    headers_sent,
                    without_ids_and_times(found),
                )
            )
        assert responses[0] == responses[1], headers


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [("POST", "", NEW, 201), ("POST", "/{id}/comments", COMMENT, 201), ("PATCH", "/{id}", '{"subject": "Other"}', 200)],
)
async def test_plain_writes_take_the_fast_path(
    clients: dict[str, httpx2.AsyncClient],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    body: str,
    status: int,
) -> None:
    ticket = await open_ticket(clients[FAST])
    target = f"/tickets{path.format(id=ticket['id'])}"

    refuse_to_route(monkeypatch)
    assert (await clients[FAST].request(method, target, content=body, headers=JSON_TYPE)).status_code == status
    assert (await clients[ROUTED].request(method, target, content=body, headers=JSON_TYPE)).status_code == 500


@pytest.mark.parametrize("size", [1024 * 1024, 1024 * 1024 + 1])
async def test_a_body_of_any_size_gets_the_response_of_the_router(
    clients: dict[str, httpx2.AsyncClient], size: int
) -> None:
    body = NEW + " " * (size - len(NEW))
    statuses = [
        (await clients[name].post("/tickets", content=body, headers=JSON_TYPE)).status_code for name in (FAST, ROUTED)
    ]
    assert statuses == [201 if size <= 1024 * 1024 else 413] * 2


@pytest.mark.parametrize("path", ["/{id}", "", "?limit=2&status=open"])
async def test_a_ticket_and_the_list_of_tickets_take_the_fast_path(
    clients: dict[str, httpx2.AsyncClient], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    ticket = await open_ticket(clients[FAST])
    target = f"/tickets{path.format(id=ticket['id'])}"

    refuse_to_route(monkeypatch)
    assert (await clients[FAST].get(target)).status_code == 200
    assert (await clients[ROUTED].get(target)).status_code == 500
