"""The rate limit of requests: its headers, its refusals, and how requests are attributed to clients."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from core.settings import Settings, async_dsn
from db.postgres.database import Database
from models import Role
from services.access.api_keys import ApiKeys
from support.factories import NewDatabase, running, settings_for


@pytest.fixture
async def limited(
    database_dsn: str, redis_address: tuple[str, int]
) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient]]:
    async with running(settings_for(database_dsn, *redis_address, rate_limit="3/3600s")) as (app, client):
        yield app, client


def client_at(app: FastAPI, address: str, key: object = None) -> httpx2.AsyncClient:
    """Return a client with an address, and with an API key or without."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    transport = httpx2.ASGITransport(app=app, client=(address, 1))
    return httpx2.AsyncClient(transport=transport, base_url="http://tickets", headers=headers)


async def statuses(client: httpx2.AsyncClient, count: int = 4) -> list[int]:
    return [(await client.get("/workflow")).status_code for _ in range(count)]


async def counted(client: httpx2.AsyncClient) -> float:
    metrics = (await client.get("/metrics")).text
    (line,) = re.findall(r"^tickets_rate_limited_requests_total (\S+)$", metrics, re.MULTILINE)
    return float(line)


async def test_every_response_contains_the_remaining_quota(limited: tuple[FastAPI, httpx2.AsyncClient]) -> None:
    _, client = limited
    for remaining, path in zip((2, 1, 0), ("/tickets", "/tickets/0", "/nothing"), strict=True):
        response = await client.get(path)
        assert response.headers["RateLimit-Policy"] == '"default";q=3;w=3600'
        assert response.headers["RateLimit"] == f'"default";r={remaining};t={(3 - remaining) * 1200}'


async def test_a_request_over_the_limit_is_refused_with_retry_after(
    limited: tuple[FastAPI, httpx2.AsyncClient],
) -> None:
    _, client = limited
    before = await counted(client)
    assert await statuses(client) == [200, 200, 200, 429]
    response = await client.get("/tickets")
    assert (response.status_code, response.headers["Content-Type"]) == (429, "application/problem+json")
    problem: dict[str, Any] = response.json()
    assert (problem["type"], problem["status"]) == ("/problems/rate-limited", 429)
    assert problem["request_id"] == response.headers["X-Request-Id"]
    assert 1190 <= int(response.headers["Retry-After"]) <= 1200
    assert re.fullmatch(r'"default";r=0;t=3[56]\d\d', response.headers["RateLimit"])
    assert await counted(client) == before + 2


async def test_probes_and_documentation_pages_are_exempt(limited: tuple[FastAPI, httpx2.AsyncClient]) -> None:
    _, client = limited
    await statuses(client)
    for path in ("/livez", "/readyz", "/docs", "/docs/assets/swagger-ui.css"):
        response = await client.get(path)
        assert response.status_code == 200
        assert "RateLimit" not in response.headers


async def test_each_principal_has_its_own_quota_at_any_address(
    migrated_database: NewDatabase, redis_address: tuple[str, int]
) -> None:
    async with migrated_database() as dsn:
        database = Database(async_dsn(dsn), pool_size=1)
        alice, bob = [(await ApiKeys(database).create(name, Role.AGENT))[0] for name in ("alice", "bob")]
        await database.close()
        async with running(settings_for(dsn, *redis_address, rate_limit="3/3600s")) as (app, _):
            assert await statuses(client_at(app, "192.0.2.1", alice), 2) == [200, 200]
            assert await statuses(client_at(app, "192.0.2.2", alice), 2) == [200, 429]
            assert await statuses(client_at(app, "192.0.2.1", bob), 1) == [200]


async def test_anonymous_requests_count_by_address(limited: tuple[FastAPI, httpx2.AsyncClient]) -> None:
    app, _ = limited
    assert await statuses(client_at(app, "192.0.2.3")) == [200, 200, 200, 429]
    assert await statuses(client_at(app, "192.0.2.4"), 1) == [200]
    assert await statuses(client_at(app, "2001:db8::1"), 3) == [200] * 3
    assert await statuses(client_at(app, "2001:db8::2"), 1) == [429]


async def test_without_a_rate_limit_there_are_no_headers_and_no_middleware(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    assert "RateLimit" not in (await client.get("/tickets")).headers
    assert "RateLimitMiddleware" not in [getattr(middleware.cls, "__name__", "") for middleware in app.user_middleware]


async def test_the_limit_applies_while_redis_is_unavailable(database_dsn: str) -> None:
    unavailable: Settings = settings_for(database_dsn, "127.0.0.1", 1, redis_cluster=False, rate_limit="3/3600s")
    async with running(unavailable) as (_, client):
        assert await statuses(client, 6) == [200] * 3 + [429] * 3
