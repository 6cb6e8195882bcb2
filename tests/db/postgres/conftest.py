"""A pool of connections that go nowhere."""

from collections.abc import AsyncIterator

import pytest

from db.postgres.pool import Pool
from support.fake_connections import Exchange, Line


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
async def pool(exchange: Exchange) -> AsyncIterator[Pool[Line]]:
    """A pool of two."""
    pool = Pool(exchange.connect, size=2, acquire_timeout_s=5)
    yield pool
    exchange.may_connect.set()
    await pool.close()
    assert all(line.end for line in exchange.lines)
