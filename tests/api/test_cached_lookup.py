"""The lookup that is answered before the framework: word for word as the route in the document would answer."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.types import ASGIApp

import main
from api.cached_lookup import CachedLookup
from core.settings import Settings
from world import a_comment, open_ticket, running

SHORT, LONG = "short", "long"


class _HandsOn(CachedLookup):
    """Leaves every request to its route."""

    def __new__(cls, app: ASGIApp, **_: object) -> ASGIApp:  # type: ignore[misc] # stands for no instance
        return app


@pytest.fixture(scope="module")
async def ways(settings: Settings) -> AsyncIterator[dict[str, httpx2.AsyncClient]]:
    """Clients of two services on the same data: one that takes the short way, and one that has none."""
    with pytest.MonkeyPatch.context() as patch:
        async with running(settings) as (_, short):
            patch.setattr(main, "CachedLookup", _HandsOn)
            async with running(settings) as (_, long):
                yield {SHORT: short, LONG: long}


PATHS = ["{id}", "{id}?page=2", "{id}/", "0", "01", "+1", "abc", "9223372036854775807", "9223372036854775808", "%31"]
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
    await ways[SHORT].get("/tickets/" + path.format(id=ticket["id"]))
    for headers in HEADERS:
        told = {"X-Request-Id": "the-same"} | headers
        short, long = [
            await ways[way].request(method, "/tickets/" + path.format(id=ticket["id"]), headers=told)
            for way in (SHORT, LONG)
        ]
        assert (short.status_code, short.content) == (long.status_code, long.content), headers
        assert sorted(short.headers.multi_items()) == sorted(long.headers.multi_items()), headers


async def test_a_cached_ticket_takes_the_short_way(
    ways: dict[str, httpx2.AsyncClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await open_ticket(ways[SHORT])

    async def not_reached(*_: object) -> None:
        raise AssertionError("the framework was asked")

    monkeypatch.setattr("fastapi.routing.APIRouter.handle", not_reached)
    assert (await ways[SHORT].get(f"/tickets/{ticket['id']}")).status_code == 200
    assert (await ways[LONG].get(f"/tickets/{ticket['id']}")).status_code == 500
