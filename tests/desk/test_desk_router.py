"""The router of the desk calls the endpoints of pages itself, and leaves the rest to FastAPI."""

from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.routing import Match

from desk.desk_request import Asked
from desk.desk_router import DeskRouter

router = APIRouter(prefix="/desk")


@router.get("/pages/{name}")
async def page(name: str, asked: Asked) -> Response:
    return Response(f"{name} for {asked.principal.id}")


@router.get("/other/{number}")
async def other(number: int, request: Request) -> Response:
    return Response(f"{number + 1} at {request.url.path}")


@pytest.fixture
def desk() -> DeskRouter:
    return DeskRouter(router.routes)


def a_scope(path: str, method: str = "GET") -> dict[str, Any]:
    return {"type": "http", "path": path, "method": method, "headers": [], "root_path": ""}


@pytest.mark.parametrize(
    ("path", "method", "match"),
    [
        ("/desk/pages/a", "GET", Match.FULL),
        ("/desk/pages/a/b", "GET", Match.NONE),
        ("/tickets", "GET", Match.NONE),
        ("/deskpages/a", "GET", Match.NONE),
    ],
)
def test_it_matches_the_pages_alone(desk: DeskRouter, path: str, method: str, match: Match) -> None:
    assert desk.matches(a_scope(path, method))[0] is match


async def test_both_kinds_of_endpoints_are_called(desk: DeskRouter, app: FastAPI) -> None:
    service = FastAPI()
    service.state = app.state
    service.include_router(desk)

    transport = httpx2.ASGITransport(app=service)
    async with httpx2.AsyncClient(transport=transport, base_url="http://tickets") as client:
        assert (await client.get("/desk/other/1")).text == "2 at /desk/other/1"
        assert (await client.get("/desk/other/x")).status_code == 422
        assert (await client.put("/desk/pages/a")).status_code == 405


async def test_pages_name_their_route_for_the_log(client: httpx2.AsyncClient) -> None:
    await client.get("/desk/keys")
    metrics = (await client.get("/metrics")).text
    assert 'method="GET",route="/desk/keys",status="200"' in metrics.replace(" ", "")
