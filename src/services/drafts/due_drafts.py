"""Sends the drafts that are due: each becomes a comment by the one write path.

The transaction that commits the comment deletes the draft, so any number of processes may do so at once, and a process
that ends at any moment neither loses a draft nor sends it twice. The id of the draft is also the idempotency key.
"""

import asyncio
import logging
import random
from typing import Final

from core.desk_errors import DraftChanged
from core.errors import RequestInProgress, ServiceError, Unavailable
from db.postgres.database import Database
from db.postgres.statements import Row
from models import Audience, DraftKind
from schemas.tickets import CommentCreate
from services.access.acting import acting_staff
from services.drafts import statements as sql
from services.drafts.sending import KEY_PREFIX, taking
from services.idempotency import RetryKey
from services.tickets.service import TicketService

POLL_EVERY_S: Final = 0.5
RETRY_EVERY_S: Final = 1
BATCH: Final = 100
# A draft that fails is left alone for this time, so that it delays no others.
LEFT_ALONE_S: Final = 5

_log = logging.getLogger(__name__)


class DueDrafts:
    """Sends one after the other, so that requests keep their share of the database."""

    def __init__(self, database: Database, tickets: TicketService) -> None:
        self._database = database
        self._tickets = tickets
        # By draft: when it may be tried again, in seconds of the event loop's clock.
        self._failed: dict[int, float] = {}

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            try:
                found = await self.send_due()
            except Unavailable as error:
                _log.warning("cannot send drafts; retrying in %d s: %s", RETRY_EVERY_S, error)
                await asyncio.sleep(RETRY_EVERY_S)
                continue
            if found < BATCH:
                await asyncio.sleep(POLL_EVERY_S)

    async def send_due(self) -> int:
        """Send a batch of what is due, and return how much was found. Raises DatabaseUnavailable."""
        now = asyncio.get_running_loop().time()
        self._failed = {draft_id: until for draft_id, until in self._failed.items() if until > now}
        async with self._database.working_singly() as connection:
            rows = await connection.rows(sql.DUE, failed=list(self._failed), limit=BATCH)
        # Each process begins elsewhere: two that send one draft would only wait for each other.
        for row in random.sample(rows, len(rows)):
            await self._try(row)
        return len(rows)

    async def _try(self, draft: Row) -> None:
        try:
            await self._send(draft)
        except (DraftChanged, RequestInProgress):
            pass  # its author has called it back, or another process sends it
        except Unavailable:
            self._leave_alone(draft)
            raise
        except ServiceError as error:
            async with self._database.working_singly() as connection:
                await connection.run(sql.REFUSE, id=draft.id, counter=draft.counter, refusal=error.code())
        except Exception:  # noqa: BLE001 - the others go on
            _log.exception("cannot send the draft %d", draft.id)
            self._leave_alone(draft)

    async def _send(self, draft: Row) -> None:
        """Commit the comment of a draft, and delete the draft with it."""
        async with self._database.working_singly() as connection:
            author = await acting_staff(connection, draft.principal_id)
        visibility = Audience.PUBLIC if draft.kind == DraftKind.REPLY else Audience.INTERNAL
        new = CommentCreate(email=draft.email, text=draft.text, status=draft.status, visibility=visibility)
        key = RetryKey(f"{KEY_PREFIX}{draft.id}", new.model_dump_json().encode())
        await self._tickets.comment(draft.ticket_id, new, author, key=key, within=taking(draft))

    def _leave_alone(self, draft: Row) -> None:
        self._failed[draft.id] = asyncio.get_running_loop().time() + LEFT_ALONE_S
