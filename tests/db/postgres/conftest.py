"""A pool of fake connections."""

from collections.abc import AsyncIterator

import pytest

from db.postgres.pool import Pool
from support.fake_connections import FakeConnection, FakeServer


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
async def pool(server: FakeServer) -> AsyncIterator[Pool[FakeConnection]]:
    """A pool of two."""
    pool = Pool(server.connect, size=2, acquire_timeout_s=5)
    yield pool
    server.may_connect.set()
    await pool.close()
    assert all(connection.end for connection in server.connections)
