"""What a comment that is made of a draft does in its transaction: it deletes the draft, or is refused."""

from typing import Final

from core.desk_errors import CommentedMeanwhile, DraftChanged
from db.postgres.session import Session
from db.postgres.statements import Row
from models import DraftKind
from services.drafts import statements as sql
from services.tickets.changes import Within
from services.tickets.edited_ticket import EditedTicket

# With a space, which no key of a client has.
KEY_PREFIX: Final = "draft "


def forgetting(principal_id: str, kind: DraftKind, base_version: int | None = None) -> Within:
    """Return the step of a comment that is sent at once: it deletes the draft of its author, if there is one.

    With `base_version`, a reply is refused if the ticket has a newer public comment. The step raises
    CommentedMeanwhile.
    """

    async def forget(connection: Session, ticket: EditedTicket) -> None:
        if base_version is not None:
            await _ensure_not_commented(connection, ticket.id, kind, base_version)
        await connection.run(sql.FORGET, principal_id=principal_id, ticket_id=ticket.id, kind=kind)

    return forget


def taking(draft: Row) -> Within:
    """Return the step of a comment that is sent later: it deletes exactly this draft.

    The step raises DraftChanged if the author has called the draft back, and CommentedMeanwhile.
    """

    async def take(connection: Session, ticket: EditedTicket) -> None:
        if await connection.one_or_none(sql.TAKE, id=draft.id, counter=draft.counter) is None:
            raise DraftChanged
        await _ensure_not_commented(connection, ticket.id, draft.kind, draft.base_version)

    return take


async def _ensure_not_commented(connection: Session, ticket_id: int, kind: str, base_version: int) -> None:
    if kind == DraftKind.REPLY and await connection.value(
        sql.COMMENTED_SINCE, ticket_id=ticket_id, base_version=base_version
    ):
        raise CommentedMeanwhile
