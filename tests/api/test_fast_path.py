"""What is answered before the framework: word for word as the routes in the document would answer."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.types import ASGIApp

import main
from api.middleware.fast_path import FastPath
from core.settings import Settings
from support.factories import a_comment, open_ticket, running

SHORT, LONG = "short", "long"


class _HandsOn(FastPath):
    """Leaves every request to its route."""

    def __new__(cls, app: ASGIApp, **_: object) -> ASGIApp:  # type: ignore[misc] # stands for no instance
        return app


@pytest.fixture(scope="module")
async def ways(settings: Settings) -> AsyncIterator[dict[str, httpx2.AsyncClient]]:
    """Clients of two services on the same data: one that takes the short way, and one that has none."""
    with pytest.MonkeyPatch.context() as patch:
        async with running(settings) as (_, short):
            patch.setattr(main, "FastPath", _HandsOn)
            async with running(settings) as (_, long):
                yield {SHORT: short, LONG: long}


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
async def test_both_ways_give_the_same_answer(ways: dict[str, httpx2.AsyncClient], method: str, path: str) -> None:
    ticket = await open_ticket(ways[SHORT])
    own = f"/tickets/{ticket['id']}"
    await ways[SHORT].post(f"{own}/comments", json=a_comment())
    cursor = (await ways[SHORT].get("/tickets?limit=2")).json()["next_cursor"]
    asked = "/tickets" + ("" if path.startswith("?") else "/") + path.format(id=ticket["id"], cursor=cursor)
    await ways[SHORT].get(asked)
    for headers in HEADERS:
        told = {"X-Request-Id": "the-same"} | headers
        short, long = [await ways[way].request(method, asked, headers=told) for way in (SHORT, LONG)]
        assert (short.status_code, short.content) == (long.status_code, long.content), headers
        assert sorted(short.headers.multi_items()) == sorted(long.headers.multi_items()), headers


@pytest.mark.parametrize("path", ["/{id}", "", "?limit=2&status=open"])
async def test_tickets_and_their_list_take_the_short_way(
    ways: dict[str, httpx2.AsyncClient], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    ticket = await open_ticket(ways[SHORT])
    asked = f"/tickets{path.format(id=ticket['id'])}"

    async def not_reached(*_: object) -> None:
        raise AssertionError("the framework was asked")

    monkeypatch.setattr("fastapi.routing.APIRouter.handle", not_reached)
    assert (await ways[SHORT].get(asked)).status_code == 200
    assert (await ways[LONG].get(asked)).status_code == 500
