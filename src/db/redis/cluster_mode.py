"""Detects at the start whether the configured Redis has cluster mode."""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from core.settings import Settings
from db.redis.client import Client, connect

TIMEOUT_S: Final = 1
# Of the error that a server without cluster mode returns: ERR This instance has cluster support disabled.
_NO_CLUSTER_MODE: Final = "cluster support disabled"

_log = logging.getLogger(__name__)


async def with_detected_mode(settings: Settings) -> Settings:
    """Return the settings, with `redis_cluster` false if the one configured node has no cluster mode.

    A node that does not respond within a second counts as one of a cluster.
    """
    if not settings.redis_cluster or len(settings.redis_nodes) != 1:
        return settings
    single = settings.model_copy(update={"redis_cluster": False})
    client = connect(single)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await _cluster_info(client)
    except ResponseError as error:
        if _NO_CLUSTER_MODE in str(error):
            _log.info("Redis has no cluster mode: it is used as a single server, as with REDIS_CLUSTER=false")
            return single
    except (RedisError, OSError) as error:
        _log.warning(
            "Redis does not respond and counts as a cluster; without cluster mode it needs REDIS_CLUSTER=false: %r",
            error,
        )
    finally:
        await client.aclose()
    return settings


async def _cluster_info(client: Client) -> None:
    """Send CLUSTER INFO until there is a response: the client gives up after `SOCKET_TIMEOUT_S`."""
    while True:
        with suppress(RedisTimeoutError):
            await client.execute_command("CLUSTER INFO")
            return
