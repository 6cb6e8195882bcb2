"""Moves the words of new comments to the documents of their tickets, where the search finds them by the word index.

A comment inserts its words into a small table, because a document is rewritten as a whole, with all its entries in the
word index: that cost a comment a third of its time in PostgreSQL, and more the longer the discussion was. Several
comments on a ticket within a few seconds are merged together. A search reads the words that are not merged yet too, so
nothing depends on when they are merged but the speed of the search.
"""

import asyncio
import logging
from typing import Final

from sqlalchemy import Integer, func, literal_column, select

from core.errors import Unavailable
from core.shared_metrics import is_leader
from db.postgres.database import Database
from db.postgres.statements import Statement

MERGE_EVERY_S: Final = 5
# One transaction of about 50 ms, so that an edit of one of these tickets hardly waits for it.
BATCH: Final = 100

_MERGE: Final = Statement(select(func.merge_recent_words(literal_column(str(BATCH)), type_=Integer)))

_log = logging.getLogger(__name__)


async def merge_continually(database: Database) -> None:
    """Merge every few seconds, until cancelled; only the leader of the processes merges."""
    while True:
        await asyncio.sleep(MERGE_EVERY_S)
        if is_leader():
            try:
                await merge_recent_words(database)
            except Unavailable as error:
                _log.warning("cannot merge the words of new comments; retrying in %d s: %s", MERGE_EVERY_S, error)


async def merge_recent_words(database: Database) -> int:
    """Merge the words of all tickets that have some, and return how many tickets had. Raises DatabaseUnavailable.

    It does nothing while another process merges.
    """
    return await database.in_batches(_MERGE, BATCH)
