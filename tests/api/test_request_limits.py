"""The request id, HEAD, Accept, and paths that do not exist."""

import httpx2
import pytest

from support.factories import open_ticket


@pytest.mark.parametrize("sent", ["a", "7f1c4b1e-3c1d-4a57-9d6a-0f8f5a2b9c11", "trace_1.2", "x" * 64])
async def test_a_well_formed_request_id_is_kept(client: httpx2.AsyncClient, sent: str) -> None:
    response = await client.get("/tickets/0", headers={"X-Request-Id": sent})
    assert response.headers["X-Request-Id"] == response.json()["request_id"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 65, "two words", "<script>", "a,b"])
async def test_any_other_request_id_is_replaced(client: httpx2.AsyncClient, sent: str) -> None:
    response = await client.get("/livez", headers=[("X-Request-Id", sent)])
    assert len(response.headers["X-Request-Id"]) == 16


async def test_head_returns_what_get_returns_without_a_body(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    for path in (f"/tickets/{ticket['id']}", "/tickets", f"/tickets/{ticket['id']}/comments", "/livez", "/docs"):
        head, get = await client.head(path), await client.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == get.headers["Content-Length"]
        assert head.headers.get("ETag") == get.headers.get("ETag")


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/json",
        "application/*;q=0.5",
        "text/html, */*;q=0.1",
        "Application/JSON;q=1",
        "application/json;charset=utf-8;q=0.5",
    ],
)
async def test_a_client_that_accepts_json_gets_json(client: httpx2.AsyncClient, accept: str) -> None:
    assert (await client.get("/tickets", headers={"Accept": accept})).status_code == 200


async def test_documentation_pages_are_not_limited_to_json(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/docs", headers={"Accept": "text/html"})).status_code == 200


@pytest.mark.parametrize(
    "accept",
    ["application/json;q=0", "*/*; q=0.0", "text/html, application/json;q=0.000", "application/json;charset=utf-8;q=0"],
)
async def test_a_client_that_excludes_json_is_refused(client: httpx2.AsyncClient, accept: str) -> None:
    assert (await client.get("/tickets", headers={"Accept": accept})).status_code == 406


async def test_accept_may_have_several_lines_and_may_be_empty(client: httpx2.AsyncClient) -> None:
    several = [("Accept", "text/html"), ("Accept", "application/json")]
    assert (await client.get("/tickets", headers=several)).status_code == 200
    assert (await client.get("/tickets", headers={"Accept": ""})).status_code == 200


async def test_a_path_with_the_same_prefix_is_another_path(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/ticketsfoo", headers={"Accept": "text/html"})).status_code == 404


async def test_a_trailing_slash_is_not_found(client: httpx2.AsyncClient) -> None:
    """A redirect would lead to the host that the Host header names."""
    for method in ("GET", "POST"):
        response = await client.request(method, "/tickets/", headers={"Host": "evil.example"})
        assert (response.status_code, response.json()["type"]) == (404, "/problems/not-found")
