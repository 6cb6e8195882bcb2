import httpx2
import pytest

from support.factories import open_ticket


@pytest.mark.parametrize("sent", ["a", "7f1c4b1e-3c1d-4a57-9d6a-0f8f5a2b9c11", "trace_1.2", "x" * 64])
async def test_a_well_formed_request_id_is_kept(client: httpx2.AsyncClient, sent: str) -> None:
    answer = await client.get("/tickets/0", headers={"X-Request-Id": sent})
    assert answer.headers["X-Request-Id"] == answer.json()["request_id"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 65, "two words", "<script>", "a,b"])
async def test_any_other_is_replaced(client: httpx2.AsyncClient, sent: str) -> None:
    answer = await client.get("/livez", headers=[("X-Request-Id", sent)])
    assert len(answer.headers["X-Request-Id"]) == 16


async def test_head_is_answered_as_get_without_a_body(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    for path in (f"/tickets/{ticket['id']}", "/tickets", f"/tickets/{ticket['id']}/comments", "/livez", "/docs"):
        head, get = await client.head(path), await client.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == get.headers["Content-Length"]
        assert head.headers.get("ETag") == get.headers.get("ETag")


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/*;q=0.5", "text/html, */*;q=0.1", "Application/JSON;q=1"]
)
async def test_who_takes_json_gets_it(client: httpx2.AsyncClient, accept: str) -> None:
    assert (await client.get("/tickets", headers={"Accept": accept})).status_code == 200


async def test_the_pages_are_not_json(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/docs", headers={"Accept": "text/html"})).status_code == 200


@pytest.mark.parametrize(
    "accept",
    ["application/json;q=0", "*/*; q=0.0", "text/html, application/json;q=0.000"],
)
async def test_who_says_that_json_is_no_good_is_believed(client: httpx2.AsyncClient, accept: str) -> None:
    assert (await client.get("/tickets", headers={"Accept": accept})).status_code == 406


async def test_accept_may_stand_on_several_lines_and_be_empty(client: httpx2.AsyncClient) -> None:
    several = [("Accept", "text/html"), ("Accept", "application/json")]
    assert (await client.get("/tickets", headers=several)).status_code == 200
    assert (await client.get("/tickets", headers={"Accept": ""})).status_code == 200


async def test_a_neighbour_of_a_place_is_not_that_place(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/ticketsfoo", headers={"Accept": "text/html"})).status_code == 404


async def test_a_slash_at_the_end_leads_nowhere(client: httpx2.AsyncClient) -> None:
    """And not to wherever the Host header says."""
    for method in ("GET", "POST"):
        answer = await client.request(method, "/tickets/", headers={"Host": "evil.example"})
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
