"""The metrics of one process, compared before and after requests."""

import asyncio

import httpx2
import pytest

from observation.samples import Samples, samples_of, value
from support.factories import a_comment, a_ticket, open_ticket, ticket_in

REQUESTS = "tickets_http_request_duration_seconds_count"


async def samples(client: httpx2.AsyncClient) -> Samples:
    response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    return samples_of(response.text)


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "/tickets/{id}", {"method": "GET", "route": "/tickets/{ticket_id}", "status": "200"}),
        ("HEAD", "/tickets/{id}", {"method": "HEAD", "route": "/tickets/{ticket_id}", "status": "200"}),
        ("GET", "/tickets/{id}/history", {"route": "/tickets/{ticket_id}/history", "status": "200"}),
        ("GET", "/tickets/9223372036854775807", {"route": "/tickets/{ticket_id}", "status": "404"}),
        ("GET", "/tickets/none", {"route": "/tickets/{ticket_id}", "status": "422"}),
        ("GET", "/no/such/path", {"route": "unmatched", "status": "404"}),
        ("GET", "/docs/assets/no-such-file", {"route": "/docs/assets", "status": "404"}),
        ("GET", "/openapi.json", {"route": "/openapi.json", "status": "200"}),
        ("GET", "/docs", {"route": "/docs", "status": "200"}),
        ("BREW", "/no/such/path", {"method": "other", "route": "unmatched", "status": "404"}),
        ("GET", "/problems/not-found", {"route": "/problems/{slug}", "status": "200"}),
        ("GET", "/tickets?email=" + "x" * 9000, {"route": "unmatched", "status": "414"}),
    ],
)
async def test_a_request_counts_by_method_route_and_status(
    client: httpx2.AsyncClient, method: str, path: str, labels: dict[str, str]
) -> None:
    ticket = await open_ticket(client)
    before = value(await samples(client), REQUESTS, **labels)
    await client.request(method, path.format(id=ticket["id"]))
    assert value(await samples(client), REQUESTS, **labels) == before + 1


async def test_no_path_becomes_a_label(client: httpx2.AsyncClient) -> None:
    for number in range(20):
        await client.get(f"/invented/{number}")
        await client.get(f"/tickets/{number}/invented")
    routes = {dict(labels).get("route") for name, labels in await samples(client) if name == REQUESTS}
    assert not [route for route in routes if route and ("invented" in route or any(map(str.isdigit, route)))]


async def test_committed_transitions_count_by_source_and_target(client: httpx2.AsyncClient) -> None:
    before = await samples(client)
    ticket = await ticket_in(client, "awaiting_reply")
    path = f"/tickets/{ticket['id']}"
    assert (await client.post(f"{path}/comments", json=a_comment(status="answered"))).status_code == 201
    assert (await client.patch(path, json={"status": "open"})).status_code == 409
    assert (await client.patch(path, json={"subject": "no transition"})).status_code == 200
    after = await samples(client)

    def counted(**edge: str) -> float:
        name = "tickets_transitions_total"
        return value(after, name, **edge) - value(before, name, **edge)

    assert counted(**{"from": "open", "to": "answered"}) == 1
    assert counted(**{"from": "answered", "to": "awaiting_reply"}) == 1
    assert counted(**{"from": "awaiting_reply", "to": "answered"}) == 1
    assert counted() == 3


async def test_a_ticket_counts_once_when_its_request_is_repeated(client: httpx2.AsyncClient) -> None:
    before = value(await samples(client), "tickets_created_total")
    for _ in range(3):
        response = await client.post("/tickets", json=a_ticket(), headers={"Idempotency-Key": "counted-once"})
        assert response.status_code == 201
    assert value(await samples(client), "tickets_created_total") == before + 1


async def test_cache_events_are_counted(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    before = await samples(client)
    for _ in range(3):
        await client.get(f"/tickets/{ticket['id']}")
    after = await samples(client)
    name = "tickets_cache_events_total"
    assert value(after, name, event="fills") - value(before, name, event="fills") == 1
    assert value(after, name, event="hits") - value(before, name, event="hits") == 2
    nodes = [labels for name, labels in after if name == "tickets_cache_breaker_open"]
    assert len(nodes) >= 1
    assert value(after, "tickets_cache_breaker_open") == value(before, "tickets_cache_breaker_open")


async def test_a_request_is_in_flight_while_it_is_processed(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(5):  # requests of earlier tests may still end
        while value(await samples(client), "tickets_http_requests_in_flight") != 1:  # this one
            await asyncio.sleep(0.05)
