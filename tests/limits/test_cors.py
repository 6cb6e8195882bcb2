"""Browsers may call the service from the origins of CORS_ORIGINS, and from no other."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from pydantic import ValidationError

from core.settings import Settings
from support.factories import a_ticket, open_ticket, running, settings_for

DESK, OTHER = "https://desk.example", "https://other.example"
METHODS = {"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"}
SENT = ["Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "X-Request-Id"]
SENT += ["Cache-Control"]
READ = ["ETag", "Location", "Link", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id", "Cache-Status"]
READ += ["Idempotent-Replayed"]


@pytest.fixture(scope="module")
async def desk(database_dsn: str, redis_address: tuple[str, int]) -> AsyncIterator[httpx2.AsyncClient]:
    settings = settings_for(database_dsn, *redis_address, cors_origins=f"http://localhost:3000, {DESK}")
    async with running(settings) as (_, client):
        yield client


def preflight(origin: str, method: str = "PATCH", headers: str = ", ".join(SENT)) -> dict[str, str]:
    return {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}


def listed(response: httpx2.Response, name: str) -> set[str]:
    return {value.strip().lower() for value in response.headers[name].split(",")}


@pytest.mark.parametrize("origin", [DESK, "http://localhost:3000"])
@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("path", ["/tickets", "/tickets/1", "/tickets/1/comments", "/workflow"])
async def test_a_preflight_permits_what_the_api_takes(
    desk: httpx2.AsyncClient, origin: str, method: str, path: str
) -> None:
    response = await desk.options(path, headers=preflight(origin, method))
    assert response.is_success
    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert listed(response, "Access-Control-Allow-Methods") == {name.lower() for name in METHODS}
    assert {name.lower() for name in SENT} <= listed(response, "Access-Control-Allow-Headers")
    assert "origin" in listed(response, "Vary")
    assert int(response.headers["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert response.headers["X-Request-Id"]


async def test_a_preflight_needs_no_credentials(database_dsn: str, redis_address: tuple[str, int]) -> None:
    """A browser sends none with it, and this service refuses every other request without them."""
    settings = settings_for(database_dsn, *redis_address, cors_origins=DESK, allow_anonymous=False)
    async with running(settings) as (_, client):
        assert (await client.options("/tickets", headers=preflight(DESK))).is_success
        refused = await client.get("/tickets", headers={"Origin": DESK})
        assert refused.is_client_error
        assert refused.headers["Access-Control-Allow-Origin"] == DESK


async def test_a_preflight_of_another_origin_or_method_is_refused(desk: httpx2.AsyncClient) -> None:
    for headers in (preflight(OTHER), preflight(DESK, "TRACE"), preflight(DESK, headers="X-Other")):
        response = await desk.options("/tickets", headers=headers)
        assert response.status_code == 400
        assert "origin" in listed(response, "Vary")
        if headers["Origin"] == OTHER:
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_page_of_the_origin_reads_responses_and_their_headers(desk: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(desk)
    path = f"/tickets/{ticket['id']}"
    for response in (
        await desk.get(path, headers={"Origin": DESK}),
        await desk.get(path, headers={"Origin": DESK, "If-None-Match": '"1"'}),
        await desk.post("/tickets", json=a_ticket(), headers={"Origin": DESK}),
        await desk.get("/tickets/0", headers={"Origin": DESK}),
        await desk.get(f"/tickets?{'x' * 9000}", headers={"Origin": DESK}),
        await desk.post("/tickets", content=b"x" * 2**21, headers={"Origin": DESK}),
    ):
        assert response.headers.get_list("Access-Control-Allow-Origin") == [DESK], response.status_code
        assert listed(response, "Access-Control-Expose-Headers") == {name.lower() for name in READ}
        assert "origin" in listed(response, "Vary")


async def test_a_page_of_the_origin_reads_an_unexpected_error(
    database_dsn: str, redis_address: tuple[str, int]
) -> None:
    async with running(settings_for(database_dsn, *redis_address, cors_origins=DESK)) as (app, client):
        app.state.lists = None
        for origin, allowed in ((DESK, [DESK]), (OTHER, [])):
            response = await client.get("/tickets", headers={"Origin": origin})
            assert response.status_code == 500
            assert response.headers.get_list("Access-Control-Allow-Origin") == allowed
            assert "origin" in listed(response, "Vary")


@pytest.mark.parametrize("origin", [OTHER, "null", DESK.upper(), f"{DESK}:443", f"{DESK}.evil.example", None])
async def test_another_origin_reads_nothing(desk: httpx2.AsyncClient, origin: str | None) -> None:
    """The request is carried out, as without a browser. Caches keep its response apart from those for the origins."""
    response = await desk.get("/tickets", headers={} if origin is None else {"Origin": origin})
    assert response.status_code == 200
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "origin" in listed(response, "Vary")


async def test_without_the_setting_no_origin_is_allowed(client: httpx2.AsyncClient) -> None:
    response = await client.get("/tickets", headers={"Origin": DESK})
    assert not [name for name in response.headers if name.startswith("access-control") or name == "vary"]
    assert (await client.options("/tickets", headers=preflight(DESK))).status_code == 405


@pytest.mark.parametrize(
    "origins",
    [
        "*",
        "desk.example",
        "https://desk.example/",
        "https://desk.example/path",
        "https://Desk.example",
        f"{DESK},,",
        "a:b",
    ],
)
def test_a_value_that_is_no_list_of_origins_is_refused(origins: str) -> None:
    with pytest.raises(ValidationError, match="origins"):
        Settings(_env_file=None, cors_origins=origins)
