"""The client of the Redis Cluster."""

from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

SOCKET_TIMEOUT_S = 0.5


def connect(host: str, port: int) -> RedisCluster:
    """Return a client that finds the cluster through one node. Nothing is connected before the first use.

    It does not retry: a cache that has to be asked twice is slower than PostgreSQL.
    """
    return RedisCluster(
        host=host,
        port=port,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        require_full_coverage=False,
    )
