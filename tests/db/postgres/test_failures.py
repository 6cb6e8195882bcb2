"""Every way in which PostgreSQL can be unreachable raises DatabaseUnavailable."""

import asyncio
import socket
import struct

import pytest

from core.errors import DatabaseUnavailable
from core.settings import async_dsn
from db.postgres.database import Database


@pytest.mark.parametrize("with_reset", [True, False])
async def test_a_server_that_closes_the_connection_during_connecting_is_unavailable(*, with_reset: bool) -> None:
    async def close_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if with_reset:
            at_once = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.close()

    async with await asyncio.start_server(close_connection, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        database = Database(async_dsn(f"postgresql://nobody@127.0.0.1:{port}/nothing?sslmode=disable"), pool_size=1)
        for acquire in (database.reading, database.transaction, database.searching):
            with pytest.raises(DatabaseUnavailable):
                async with acquire():
                    pass
        await database.close()
