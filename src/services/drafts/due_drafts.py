"""Sends the drafts that are due: each becomes a comment by the one write path.

The transaction that commits the comment deletes the draft, so a process that ends at any moment neither loses a draft
nor sends it twice. The idempotency key is that of the form that has sent the draft, or the id of the draft.
"""

from core.desk_errors import DraftChanged
from core.errors import RequestInProgress, ServiceError
from db.postgres.database import Database
from db.postgres.statements import Row
from models import Audience, DraftKind
from schemas.tickets import CommentCreate
from services.access.acting import acting_staff
from services.drafts import statements as sql
from services.drafts.sending import KEY_PREFIX, taking
from services.due_loop import DueLoop
from services.idempotency import RetryKey
from services.tickets.service import TicketService


class DueDrafts(DueLoop):
    """Sends drafts."""

    due = sql.DUE
    item = "draft"
    left_alone_s = 5

    def __init__(self, database: Database, tickets: TicketService) -> None:
        super().__init__(database)
        self._tickets = tickets

    async def _do(self, row: Row) -> None:
        """Commit the comment of a draft, and delete the draft with it."""
        async with self._database.working_singly() as connection:
            author = await acting_staff(connection, row.principal_id)
        visibility = Audience.PUBLIC if row.kind == DraftKind.REPLY else Audience.INTERNAL
        new = CommentCreate(email=row.email, text=row.text, status=row.status, visibility=visibility)
        key = RetryKey(row.send_key or f"{KEY_PREFIX}{row.id}", new.model_dump_json().encode())
        _, was_sent_before = await self._tickets.comment(row.ticket_id, new, author, key=key, within=taking(row))
        if was_sent_before:
            async with self._database.working_singly() as connection:
                await connection.one_or_none(sql.TAKE, id=row.id, counter=row.counter)

    async def _refused(self, row: Row, error: ServiceError) -> None:
        """Store why a draft was not sent, unless its author has called it back or another process sends it."""
        if isinstance(error, DraftChanged | RequestInProgress):
            return
        async with self._database.working_singly() as connection:
            await connection.run(sql.REFUSE, id=row.id, counter=row.counter, refusal=error.code())
