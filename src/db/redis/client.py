"""Creates the redis-py client, for a cluster or a single server, from the settings."""

import ssl
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from core.settings import Settings
from db.redis.multiplexed import Address, Login

# Slightly less than the time limit of a cache operation, so that the client itself detects an unreachable node.
SOCKET_TIMEOUT_S: Final = 0.09
MAX_CONNECTIONS: Final = 64

Client = RedisCluster | Redis


def connect(settings: Settings, *, timeout_s: float = SOCKET_TIMEOUT_S) -> Client:
    """Return a client of the configured Redis. It connects at its first use, within `timeout_s`, as it awaits a reply.

    It does not retry: a second attempt would take longer than reading from PostgreSQL.
    """
    password = settings.redis_password
    options: dict[str, Any] = {
        "username": settings.redis_username,
        "password": None if password is None else password.get_secret_value(),
        "ssl": settings.redis_tls,
        "ssl_ca_certs": None if settings.redis_tls_ca_file is None else str(settings.redis_tls_ca_file),
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "max_connections": MAX_CONNECTIONS,
        "retry": Retry(NoBackoff(), 0),
    }
    if not settings.redis_cluster:
        host, port = settings.redis_nodes[0]
        return Redis(host=host, port=port, **options)
    nodes = [ClusterNode(host, port) for host, port in settings.redis_nodes]
    return RedisCluster(startup_nodes=nodes, require_full_coverage=False, **options)


def login_of(client: Client) -> Login:
    """Return how this client authenticates and encrypts its connections."""
    options = _options_of(client)
    is_encrypted = "ssl_ca_certs" in options
    return Login(
        username=options["username"],
        password=options["password"],
        tls=ssl.create_default_context(cafile=options["ssl_ca_certs"]) if is_encrypted else None,
    )


def address_of(client: Client) -> Address | None:
    """Return the address of the single server; None for a cluster."""
    if isinstance(client, RedisCluster):
        return None
    options = _options_of(client)
    return options["host"], options["port"]


def _options_of(client: Client) -> dict[str, Any]:
    options: dict[str, Any] = client.get_connection_kwargs()
    return options
