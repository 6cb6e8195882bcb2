"""What a client sees of the rate limit."""

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
from support.factories import migrate_to_head, new_database, running, settings_for


@pytest.fixture
async def limited(
    database_dsn: str, redis_address: tuple[str, int]
) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient]]:
    async with running(settings_for(database_dsn, *redis_address, rate_limit="3/3600s")) as (app, client):
        yield app, client


def coming_from(app: FastAPI, address: str, key: object = None) -> httpx2.AsyncClient:
    """Return a client at an address, with a key or without."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    transport = httpx2.ASGITransport(app=app, client=(address, 1))
    return httpx2.AsyncClient(transport=transport, base_url="http://tickets", headers=headers)


async def statuses(client: httpx2.AsyncClient, count: int = 4) -> list[int]:
    return [(await client.get("/workflow")).status_code for _ in range(count)]


async def counted(client: httpx2.AsyncClient) -> float:
    metrics = (await client.get("/metrics")).text
    (line,) = re.findall(r"^tickets_rate_limited_requests_total (\S+)$", metrics, re.MULTILINE)
    return float(line)


async def test_every_answer_tells_what_is_left(limited: tuple[FastAPI, httpx2.AsyncClient]) -> None:
    _, client = limited
    for left, path in zip((2, 1, 0), ("/tickets", "/tickets/0", "/nothing"), strict=True):
        answer = await client.get(path)
        assert answer.headers["RateLimit-Policy"] == '"default";q=3;w=3600'
        assert answer.headers["RateLimit"] == f'"default";r={left};t={(3 - left) * 1200}'


async def test_who_comes_too_often_is_told_when_to_come_again(limited: tuple[FastAPI, httpx2.AsyncClient]) -> None:
    _, client = limited
    before = await counted(client)
    assert await statuses(client) == [200, 200, 200, 429]
    answer = await client.get("/tickets")
    assert (answer.status_code, answer.headers["Content-Type"]) == (429, "application/problem+json")
    problem: dict[str, Any] = answer.json()
    assert (problem["type"], problem["status"]) == ("/problems/rate-limited", 429)
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert 1190 <= int(answer.headers["Retry-After"]) <= 1200
    assert re.fullmatch(r'"default";r=0;t=3[56]\d\d', answer.headers["RateLimit"])
    assert await counted(client) == before + 2


async def test_probes_and_pages_are_never_limited(limited: tuple[FastAPI, httpx2.AsyncClient]) -> None:
    _, client = limited
    await statuses(client)
    for path in ("/livez", "/readyz", "/docs", "/docs/assets/swagger-ui.css"):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert "RateLimit" not in answer.headers


async def test_each_principal_counts_alone_wherever_it_comes_from(
    postgres_dsn: str, redis_address: tuple[str, int]
) -> None:
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        database = Database(async_dsn(dsn), pool_size=1)
        alice, bob = [(await ApiKeys(database).create(name, Role.AGENT))[0] for name in ("alice", "bob")]
        await database.close()
        async with running(settings_for(dsn, *redis_address, rate_limit="3/3600s")) as (app, _):
            assert await statuses(coming_from(app, "192.0.2.1", alice), 2) == [200, 200]
            assert await statuses(coming_from(app, "192.0.2.2", alice), 2) == [200, 429]
            assert await statuses(coming_from(app, "192.0.2.1", bob), 1) == [200]


async def test_who_has_no_name_counts_by_address(limited: tuple[FastAPI, httpx2.AsyncClient]) -> None:
    app, _ = limited
    assert await statuses(coming_from(app, "192.0.2.3")) == [200, 200, 200, 429]
    assert await statuses(coming_from(app, "192.0.2.4"), 1) == [200]
    assert await statuses(coming_from(app, "2001:db8::1"), 3) == [200] * 3
    assert await statuses(coming_from(app, "2001:db8::2"), 1) == [429]


async def test_without_a_limit_nothing_is_told_and_nothing_stands_in_the_way(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    assert "RateLimit" not in (await client.get("/tickets")).headers
    assert "RateLimitMiddleware" not in [getattr(middleware.cls, "__name__", "") for middleware in app.user_middleware]


async def test_a_limit_stands_while_redis_is_away(database_dsn: str) -> None:
    away: Settings = settings_for(database_dsn, "127.0.0.1", 1, redis_cluster=False, rate_limit="3/3600s")
    async with running(away) as (_, client):
        assert await statuses(client, 6) == [200] * 3 + [429] * 3
