"""What has to be tidied up now and then, whichever process does it."""

import asyncio
import logging
from typing import Final

from core.errors import Unavailable
from db.postgres.database import Database
from services.idempotency import DELETE_BATCH, DELETE_EXPIRED

EVERY_S: Final = 600

_log = logging.getLogger(__name__)


async def forget_expired_keys(database: Database) -> int:
    """Forget the idempotency keys that are older than they are kept, in small batches; return how many.

    Several processes may do so at once: each takes other rows. Raises DatabaseUnavailable.
    """
    forgotten = 0
    while True:
        async with database.transaction() as connection:
            batch: int = await connection.value(DELETE_EXPIRED)
        forgotten += batch
        if batch < DELETE_BATCH:
            return forgotten


async def keep_house(database: Database) -> None:
    """Tidy up every ten minutes, until cancelled; what a database that is away prevents is done the next time."""
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            await forget_expired_keys(database)
        except Unavailable as error:
            _log.warning("expired idempotency keys were not forgotten: %s", error)
