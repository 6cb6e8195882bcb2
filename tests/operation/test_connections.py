"""Connections that were closed or get no response, and hosts that are unreachable."""

import asyncio
import time

import asyncpg
import pytest
from sqlalchemy import text

from core.settings import async_dsn
from db.postgres.connections import Connections
from db.postgres.statements import Statement
from support.factories import open_ticket, running, settings_for
from support.tcp_proxy import tcp_proxy

ONE = Statement(text("SELECT 1"))


async def test_connections_that_the_server_closed_fail_no_request(
    own_database_dsn: str, redis_address: tuple[str, int]
) -> None:
    async with running(settings_for(own_database_dsn, *redis_address, database_pool_size=5)) as (_, client):
        path = f"/tickets/{(await open_ticket(client))['id']}"
        bypass_cache = {"Cache-Control": "no-cache"}
        sql = await asyncpg.connect(own_database_dsn)
        for _ in range(3):
            await asyncio.gather(*(client.get("/tickets") for _ in range(10)))
            ended = await sql.fetch("""
                SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                WHERE application_name = 'tickets' AND datname = current_database()
            """)
            assert len(ended) > 1
            await asyncio.sleep(0.1)
            responses = await asyncio.gather(*(client.get(path, headers=bypass_cache) for _ in range(10)))
            assert {response.status_code for response in responses} == {200}
        await sql.close()


async def test_a_cancelled_transaction_does_not_wait_for_a_silent_server(own_database_dsn: str) -> None:
    async with tcp_proxy(own_database_dsn) as (proxy, through_proxy):
        connections = Connections(async_dsn(through_proxy), size=1, acquire_timeout_s=1)

        async def work() -> None:
            async with asyncio.timeout(0.5), connections.transaction() as connection:
                await connection.run(ONE)
                proxy.pause()
                await asyncio.sleep(5)

        began_at = time.monotonic()
        with pytest.raises(TimeoutError):
            await work()
        assert time.monotonic() - began_at < 2
        proxy.resume()
        async with connections.reading() as connection:
            assert await connection.value(ONE) == 1
        await connections.close()


async def test_a_silent_host_does_not_delay_connections_to_the_primary(own_database_dsn: str) -> None:
    async with tcp_proxy(own_database_dsn) as (proxy, silent):
        proxy.pause()
        silent_host = silent.rpartition("@")[2].partition("/")[0]
        user, _, primary = own_database_dsn.partition("@")
        connections = Connections(async_dsn(f"{user}@{silent_host},{primary}"), size=1, acquire_timeout_s=1)
        for timeout_s in (2, 0.4):  # the first connection finds the primary, the second goes straight to it
            began_at = time.monotonic()
            async with connections.reading() as connection:
                assert await connection.value(Statement(text("SELECT NOT pg_is_in_recovery()")))
            assert time.monotonic() - began_at < timeout_s
            connections.expire_all()
        await connections.close()
