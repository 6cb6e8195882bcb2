"""Sends deliveries: claims those that are due, sends them, and records what became of them."""

import asyncio
import logging
import time
from typing import Final

from core import metrics
from core.errors import Unavailable
from db.postgres.database import Database
from db.postgres.statements import Row
from models import Audience, DeliveryState, WebhookDetail, WebhookState
from services.events.cloud_event import CONTENT_TYPE
from services.secret_box import SecretBox
from services.webhooks import delivery_statements as sql
from services.webhooks import outcome_statements as outcomes
from services.webhooks.payload import payload
from services.webhooks.schedule import DEFAULT_SCHEDULE, Schedule
from services.webhooks.sender import GONE, TOO_MANY_REQUESTS, Attempt, Sender
from services.webhooks.signature import signed_headers

POLL_EVERY_S: Final = 0.25
# Several responses that arrive together lead to one claim.
PAUSE_S: Final = 0.01
# A request that takes longer gives its slot back: receivers that hang do not delay the others.
SLOW_AFTER_S: Final = 1.0
_RETRY_AFTER_S: Final = 2
_MAX_DOUBLINGS: Final = 20
_OUTCOMES: Final = ("delivered", "failed", "dead", "skipped", "lost")

_log = logging.getLogger(__name__)


def message_id(ticket_id: int, version: int) -> str:
    """Return the id of a message: the same in each attempt and in each replay, so that receivers recognize them."""
    return f"evt_{ticket_id}_{version}"


class Deliverer:
    """Sends up to `max_in_flight` requests at once, and at most four to one endpoint, among all processes.

    Requests that take longer than SLOW_AFTER_S do not count, up to as many again. A process that is killed costs its
    claims: others send these deliveries again, with the same id, when the claims expire.
    """

    def __init__(
        self,
        database: Database,
        sender: Sender,
        secrets: SecretBox,
        *,
        max_in_flight: int,
        schedule: Schedule = DEFAULT_SCHEDULE,
    ) -> None:
        self._database = database
        self._sender = sender
        self._secrets = secrets
        self._max_in_flight = max_in_flight
        self._schedule = schedule
        # The requests in progress, with the time of their start by the event loop's clock.
        self._tasks: dict[asyncio.Task[None], float] = {}
        self._is_woken = asyncio.Event()
        for outcome in _OUTCOMES:
            metrics.webhook_attempts.labels(outcome)  # exported from the start, as 0

    def wake(self) -> None:
        """Look for deliveries at once: some were created."""
        self._is_woken.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                if not await self._start_claimed():
                    await self._wait()
                await asyncio.sleep(PAUSE_S)
        finally:
            await self._finish()

    async def deliver_due(self) -> int:
        """Send what is due now, wait for the outcomes, and return how many. Raises DatabaseUnavailable."""
        started = await self._start(await self._claim())
        if self._tasks:
            await asyncio.wait(self._tasks)
        return started

    async def _start_claimed(self) -> bool:
        """Start to send what is due, and return whether there was anything."""
        self._is_woken.clear()
        try:
            return bool(await self._start(await self._claim()))
        except Unavailable as error:
            _log.warning("cannot claim deliveries of webhooks; retrying in %d s: %s", _RETRY_AFTER_S, error)
            await asyncio.sleep(_RETRY_AFTER_S)
            return False

    async def _wait(self) -> None:
        """Wait until a request ends, deliveries are created, or it is time to look again."""
        woken = asyncio.create_task(self._is_woken.wait())
        try:
            await asyncio.wait({woken, *self._tasks}, timeout=POLL_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()

    async def _finish(self) -> None:
        if self._tasks:
            _, unfinished = await asyncio.wait(self._tasks, timeout=self._schedule.grace_s)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def _claim(self) -> list[Row]:
        """Claim deliveries in one transaction, its two statements with a snapshot each."""
        limit = self._free_slots()
        if limit < 1:
            return []
        async with self._database.working() as connection:
            ids = [row.id for row in await connection.rows(sql.LOCK_DUE_ENDPOINTS, limit=limit)]
            if not ids:
                return []
            schedule = self._schedule
            rows = await connection.rows(
                sql.CLAIM,
                ids=ids,
                limit=limit,
                claim_s=schedule.claim_s,
                order_s=schedule.order_s,
                pause_after=schedule.pause_after,
            )
        return [row for row in rows if row.state == DeliveryState.PENDING]

    def _free_slots(self) -> int:
        """Return how many requests may start now."""
        slow_since = asyncio.get_running_loop().time() - SLOW_AFTER_S
        fast = sum(started_at > slow_since for started_at in self._tasks.values())
        return min(self._max_in_flight - fast, 2 * self._max_in_flight - len(self._tasks))

    async def _start(self, claimed: list[Row]) -> int:
        if not claimed:
            return 0
        async with self._database.working_singly() as connection:
            rows = await connection.rows(sql.EVENTS_OF, ids=[claim.id for claim in claimed])
        events = {row.id: row for row in rows}
        # The deliveries of a webhook that was deleted may have been removed since they were claimed.
        present = [claim for claim in claimed if claim.id in events]
        for claim in sorted(present, key=lambda claim: claim.position):
            task = asyncio.create_task(self._deliver(claim, events[claim.id]))
            self._tasks[task] = asyncio.get_running_loop().time()
            task.add_done_callback(self._tasks.pop)
        return len(present)

    async def _deliver(self, claim: Row, event: Row) -> None:
        """Send a delivery and record the outcome. Without the database, the claim is left, and expires."""
        try:
            outcome = await (self._attempt(claim, event) if event.is_visible else self._skip(claim))
            metrics.webhook_attempts.labels(outcome).inc()
        except Unavailable as error:
            _log.warning("cannot record a delivery of webhook %d; it is sent again: %s", claim.endpoint_id, error)
        except Exception:  # noqa: BLE001 - the others go on
            _log.exception("cannot record a delivery of webhook %d", claim.endpoint_id)

    async def _attempt(self, claim: Row, event: Row) -> str:
        """Send a delivery and record the outcome.

        A fault of this service is a failed attempt as well: otherwise the delivery would be sent for ever.
        """
        try:
            return await self._record(claim, await self._send(claim, event))
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - as the docstring says
            _log.exception("cannot send a delivery of webhook %d", claim.endpoint_id)
            return await self._record(claim, Attempt(None, f"internal error: {type(error).__name__}", 0))

    async def _skip(self, claim: Row) -> str:
        async with self._database.working_singly() as connection:
            is_ours = await connection.rows(outcomes.SKIP, delivery_id=claim.id, attempt=claim.attempts)
        return "skipped" if is_ours else "lost"

    async def _send(self, claim: Row, event: Row) -> Attempt:
        body = payload(event, WebhookDetail(claim.detail), Audience(event.audience))
        keys = [await self._secrets.open(sealed) for sealed in (claim.secret, claim.old_secret) if sealed is not None]
        headers = signed_headers(message_id(claim.ticket_id, claim.version), int(time.time()), body, keys)
        headers["content-type"] = CONTENT_TYPE
        return await self._sender.send(claim.url, headers, body, timeout_s=self._schedule.timeout_s)

    async def _record(self, claim: Row, attempt: Attempt) -> str:
        outcome = {
            "endpoint_id": claim.endpoint_id,
            "sent_url": claim.url,
            "delivery_id": claim.id,
            "attempt": claim.attempts,
            "sent_duration_ms": attempt.duration_ms,
            "sent_status": attempt.status,
            "sent_error": attempt.error,
            "sent_response_head": attempt.response_head,
        }
        if not attempt.is_success:
            return await self._record_failure(claim, attempt, outcome)
        async with self._database.working_singly() as connection:
            is_ours = await connection.rows(outcomes.SUCCEED, **outcome)
        return "delivered" if is_ours else "lost"

    async def _record_failure(self, claim: Row, attempt: Attempt, outcome: dict[str, object]) -> str:
        schedule = self._schedule
        is_gone = attempt.status == GONE
        retry_in_s = 0 if is_gone else schedule.delay_s(claim.attempts)
        wait_s = attempt.retry_after_s
        if wait_s is None and attempt.status == TOO_MANY_REQUESTS:
            wait_s = schedule.throttled_s
        async with self._database.working_singly() as connection:
            row = await connection.one_or_none(
                outcomes.FAIL,
                **outcome,
                retry_in_s=retry_in_s,
                wait_s=wait_s,
                is_gone=is_gone,
                off_after_s=schedule.off_after_s,
                pause_after=schedule.pause_after,
                first_pause_s=schedule.first_pause_s,
                max_pause_s=schedule.max_pause_s,
                max_doublings=_MAX_DOUBLINGS,
            )
        if row is None:
            return "lost"
        if row.endpoint_state == WebhookState.OFF:
            _log.warning("webhook %d was switched off: %s", claim.endpoint_id, row.state_reason)
        return "dead" if row.state == DeliveryState.DEAD else "failed"
