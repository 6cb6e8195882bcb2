"""Connections that came to nothing, and hosts that are not there."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text

from core.settings import async_dsn
from db.postgres.connections import Connections
from db.postgres.statements import Statement
from support.factories import migrate_to_head, new_database, open_ticket, running, settings_for
from support.tcp_proxy import way_to

ONE = Statement(text("SELECT 1"))


@pytest.fixture
async def dsn(postgres_dsn: str) -> AsyncIterator[str]:
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        yield dsn


async def test_connections_that_the_server_closed_cost_no_request_anything(
    dsn: str, redis_address: tuple[str, int]
) -> None:
    async with running(settings_for(dsn, *redis_address, database_pool_size=5)) as (_, client):
        path = f"/tickets/{(await open_ticket(client))['id']}"
        past_cache = {"Cache-Control": "no-cache"}
        sql = await asyncpg.connect(dsn)
        for _ in range(3):
            await asyncio.gather(*(client.get("/tickets") for _ in range(10)))
            ended = await sql.fetch("""
                SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                WHERE application_name = 'tickets' AND datname = current_database()
            """)
            assert len(ended) > 1
            await asyncio.sleep(0.1)
            answers = await asyncio.gather(*(client.get(path, headers=past_cache) for _ in range(10)))
            assert {answer.status_code for answer in answers} == {200}
        await sql.close()


async def test_what_is_given_up_does_not_wait_for_a_server_that_is_silent(dsn: str) -> None:
    async with way_to(dsn) as (way, address):
        connections = Connections(async_dsn(address), size=1, acquire_timeout_s=1)

        async def work() -> None:
            async with asyncio.timeout(0.5), connections.transaction() as connection:
                await connection.run(ONE)
                way.swallow()
                await asyncio.sleep(5)

        began_at = time.monotonic()
        with pytest.raises(TimeoutError):
            await work()
        assert time.monotonic() - began_at < 2
        way.open()
        async with connections.reading() as connection:
            assert await connection.value(ONE) == 1
        await connections.close()


async def test_a_host_that_is_gone_without_a_word_does_not_hide_the_primary(dsn: str) -> None:
    async with way_to(dsn) as (way, silent):
        way.swallow()
        silent_host = silent.rpartition("@")[2].partition("/")[0]
        user, _, right = dsn.partition("@")
        connections = Connections(async_dsn(f"{user}@{silent_host},{right}"), size=1, acquire_timeout_s=1)
        for timeout_s in (2, 0.4):  # the second connection is made by who knows who the primary is
            began_at = time.monotonic()
            async with connections.reading() as connection:
                assert await connection.value(Statement(text("SELECT NOT pg_is_in_recovery()")))
            assert time.monotonic() - began_at < timeout_s
            connections.expire_all()
        await connections.close()
