"""The deliveries of a webhook, as admins see them, and sending one again."""

from typing import Final

from core.errors import DeliveryNotFound, TooManyDeliveries
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row
from models import SYSTEM_TICKET_ID, DeliveryState
from schemas.webhook_deliveries import Delivery, DeliveryAttempt, DeliveryPage, DeliveryQuery
from services.access.principal import Principal
from services.cursors import StoredCursors
from services.webhooks import feed_statements as feed
from services.webhooks import history_statements as sql
from services.webhooks.deliverer import message_id
from services.webhooks.endpoints import found, locked, require_reading_admin

_AFTER_ALL: Final = 2**63 - 1


class WebhookDeliveries:
    """Lists deliveries and repeats them, for admins.

    Every method raises Forbidden, InsufficientScope, WebhookNotFound, DatabaseUnavailable and DeadlineExceeded.
    """

    def __init__(self, database: Database, cursors: StoredCursors) -> None:
        self._database = database
        self._cursors = cursors

    async def page(self, webhook_id: int, query: DeliveryQuery, principal: Principal) -> DeliveryPage:
        """Return deliveries, the latest first. Raises InvalidCursor."""
        require_reading_admin(principal)
        list_key = f"deliveries {webhook_id} {query.state}"
        cursors = await self._cursors.get()
        before, _ = (_AFTER_ALL, None) if query.cursor is None else cursors.decode(list_key, query.cursor)
        async with self._database.reading() as connection:
            await found(connection, webhook_id)
            rows = await connection.rows(
                sql.PAGE, endpoint_id=webhook_id, state=query.state, before=before, limit=query.limit + 1
            )
        items = [_delivery_of(row) for row in rows[: query.limit]]
        next_cursor = cursors.encode(list_key, (items[-1].id, None)) if len(rows) > query.limit else None
        return DeliveryPage(items=items, next_cursor=next_cursor)

    async def replay(self, webhook_id: int, delivery_id: int, principal: Principal) -> Delivery:
        """Send an event again, and return the new delivery; one that is pending is tried at once instead.

        Raises DeliveryNotFound, TooManyDeliveries, OutcomeUnknown.
        """
        principal.require_admin()
        async with self._database.transaction() as connection:
            await locked(connection, webhook_id)  # for the number of its deliveries
            delivery = await _found_delivery(connection, webhook_id, delivery_id)
            if delivery.state == DeliveryState.PENDING:
                await connection.run(sql.MAKE_DUE, endpoint_id=webhook_id, delivery_id=delivery_id)
                return _delivery_of(await _found_delivery(connection, webhook_id, delivery_id))
            if await connection.value(feed.COUNT_PENDING, endpoint_id=webhook_id) >= feed.MAX_PENDING:
                raise TooManyDeliveries
            repeated = await connection.value(sql.REPEAT, endpoint_id=webhook_id, delivery_id=delivery_id)
            return _delivery_of(await _found_delivery(connection, webhook_id, repeated))


async def _found_delivery(connection: Session, webhook_id: int, delivery_id: int) -> Row:
    row = await connection.one_or_none(sql.FIND, endpoint_id=webhook_id, delivery_id=delivery_id)
    if row is None:
        raise DeliveryNotFound(str(delivery_id))
    return row


def _delivery_of(row: Row) -> Delivery:
    attempt = {name: row[f"last_{name}"] for name in DeliveryAttempt.model_fields}
    last = None if row.last_n is None else DeliveryAttempt.model_validate(attempt)
    is_of_ticket = row.ticket_id != SYSTEM_TICKET_ID
    values = dict(row) | {
        "message_id": message_id(row.ticket_id, row.version),
        "ticket_id": row.ticket_id if is_of_ticket else None,
        "last_attempt": last,
    }
    return Delivery.model_validate(values)
