"""A browser that opens the address of the service gets the desk."""

import httpx2
import pytest
from fastapi import FastAPI

from core.settings import Settings
from support.factories import running

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


async def test_a_browser_at_the_root_is_redirected_to_the_desk(client: httpx2.AsyncClient) -> None:
    response = await client.get("/", headers=BROWSER)
    assert (response.status_code, response.headers["Location"]) == (307, "desk")
    assert response.headers["Vary"] == "Accept"
    followed = await client.get("/", headers=BROWSER, follow_redirects=True)
    assert (followed.status_code, followed.url.path) == (200, "/desk/tickets")


async def test_the_redirect_stays_below_the_prefix_of_a_mounted_service(app: FastAPI) -> None:
    outer = FastAPI()
    outer.mount("/support", app)
    transport = httpx2.ASGITransport(app=outer)
    async with httpx2.AsyncClient(transport=transport, base_url="http://tickets") as client:
        response = await client.get("/support/", headers=BROWSER)
        assert response.status_code == 307
        assert response.next_request is not None
        assert response.next_request.url.path == "/support/desk"


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html;q=0, application/json", ""])
async def test_other_clients_get_a_problem(client: httpx2.AsyncClient, accept: str) -> None:
    response = await client.get("/", headers={"Accept": accept})
    assert (response.status_code, response.headers["Content-Type"]) == (404, "application/problem+json")


async def test_the_root_needs_no_credentials_and_is_not_in_the_document(settings: Settings) -> None:
    async with running(settings.model_copy(update={"allow_anonymous": False})) as (app, client):
        assert (await client.get("/", headers=BROWSER | {"Host": "tickets.example"})).status_code == 307
        assert "/" not in app.openapi()["paths"]
