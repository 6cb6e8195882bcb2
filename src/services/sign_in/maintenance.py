"""Periodic work in the background: delete the sessions that have ended, and expired tokens."""

import asyncio
import logging
from typing import Final

from core.errors import Unavailable
from db.postgres.database import Database
from services.sign_in import session_statements, tokens

PURGE_EVERY_S: Final = 600

_log = logging.getLogger(__name__)


async def purge_continually(database: Database) -> None:
    """Delete them every ten minutes, until cancelled; a failed run is left to the next one."""
    while True:
        await asyncio.sleep(PURGE_EVERY_S)
        try:
            await purge(database)
        except Unavailable as error:
            _log.warning("cannot delete ended sessions; retrying in %d s: %s", PURGE_EVERY_S, error)


async def purge(database: Database) -> int:
    """Delete ended sessions and expired tokens in small batches; return how many. Raises DatabaseUnavailable."""
    ended = await database.in_batches(session_statements.PURGE, session_statements.PURGE_BATCH)
    return ended + await database.in_batches(tokens.PURGE, tokens.PURGE_BATCH)
