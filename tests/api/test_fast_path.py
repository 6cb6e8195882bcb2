"""The fast path returns the same responses as the router, byte for byte."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.types import ASGIApp

import main
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
            patch.setattr(main, "FastPathMiddleware", _Disabled)
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


@pytest.mark.parametrize("path", ["/{id}", "", "?limit=2&status=open"])
async def test_a_ticket_and_the_list_of_tickets_take_the_fast_path(
    clients: dict[str, httpx2.AsyncClient], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    ticket = await open_ticket(clients[FAST])
    target = f"/tickets{path.format(id=ticket['id'])}"

    async def not_reached(*_: object) -> None:
        raise AssertionError("the request reached the router")

    monkeypatch.setattr("fastapi.routing.APIRouter.handle", not_reached)
    assert (await clients[FAST].get(target)).status_code == 200
    assert (await clients[ROUTED].get(target)).status_code == 500
