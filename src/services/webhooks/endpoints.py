"""Webhook endpoints, as admins manage them."""

import asyncio
import time
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Final

from core import deadline
from core.errors import Fault, Forbidden, InvalidReference, TooManyWebhooks, VersionMismatch, WebhookNotFound
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row
from models import EventKind, Role, Scope, WebhookState
from schemas.webhooks import Webhook, WebhookCreate, WebhookList, WebhookPatch, WebhookTest, WebhookWithSecret
from services.access.principal import Principal
from services.events.cloud_event import CONTENT_TYPE, as_json
from services.secret_box import SecretBox
from services.webhooks import endpoint_statements as sql
from services.webhooks.addresses import AddressRefused
from services.webhooks.payload import test_event
from services.webhooks.sender import Sender
from services.webhooks.signature import new_secret, secret_bytes, secret_text, signed_headers

MAX_WEBHOOKS: Final = 100
TEST_TIMEOUT_S: Final = 8
# What is left of the request's time for its response.
_RESERVED_S: Final = 0.5
_SETTINGS: Final = ("url", "types", "group_ids", "tags", "detail", "max_in_flight")


class WebhookService:
    """Reads and writes webhooks, for admins.

    Every method raises Forbidden, InsufficientScope, DatabaseUnavailable and DeadlineExceeded; those that write also
    raise OutcomeUnknown.
    """

    def __init__(self, database: Database, sender: Sender, secrets: SecretBox) -> None:
        self._database = database
        self._sender = sender
        self._secrets = secrets

    async def all(self, principal: Principal) -> WebhookList:
        """Return all webhooks in the order of their ids."""
        require_reading_admin(principal)
        async with self._database.reading() as connection:
            return WebhookList(items=[_webhook_of(row) for row in await connection.rows(sql.ALL)])

    async def find(self, webhook_id: int, principal: Principal) -> Webhook:
        """Return a webhook. Raises WebhookNotFound."""
        require_reading_admin(principal)
        async with self._database.reading() as connection:
            return _webhook_of(await found(connection, webhook_id))

    async def create(self, new: WebhookCreate, principal: Principal) -> WebhookWithSecret:
        """Create a webhook, which gets the events from now on, and return it with its secret.

        Raises TooManyWebhooks, InvalidReference.
        """
        principal.require_admin()
        secret = new_secret() if new.secret is None else _given_secret(new.secret)
        sealed = await self._secrets.seal(secret)
        values = {name: getattr(new, name) for name in _SETTINGS}
        owner = principal.id if new.principal_id is None else new.principal_id
        async with self._database.transaction() as connection:
            await connection.run(sql.LOCK_NUMBER)
            if await connection.value(sql.COUNT) >= MAX_WEBHOOKS:
                raise TooManyWebhooks
            await self._ensure_allowed(connection, values)
            await _ensure_owner(connection, owner)
            webhook_id = await connection.value(sql.CREATE, **values, principal_id=owner, secret=sealed)
            row = await found(connection, webhook_id)
        return _with_secret(row, secret)

    async def change(
        self, webhook_id: int, patch: WebhookPatch, principal: Principal, *, expected: Set[int] | None = None
    ) -> Webhook:
        """Change a webhook; without any difference makes no version. A webhook that is set to `on` is tried at once.

        Raises WebhookNotFound, VersionMismatch, InvalidReference.
        """
        principal.require_admin()
        changes = {name: getattr(patch, name) for name in patch.model_fields_set - {"skip_backlog"}}
        async with self._database.transaction() as connection:
            before = await locked(connection, webhook_id, expected)
            await self._ensure_allowed(connection, changes)
            if patch.skip_backlog or any(before[name] != value for name, value in changes.items()):
                await _save(connection, before, changes, skips=patch.skip_backlog)
            elif changes.get("state") == WebhookState.ON and before.paused_until is not None:
                await connection.run(sql.RESUME, endpoint_id=webhook_id)
            return _webhook_of(await found(connection, webhook_id))

    async def rotate_secret(
        self, webhook_id: int, principal: Principal, *, expected: Set[int] | None = None
    ) -> WebhookWithSecret:
        """Replace the secret; for a day, requests are signed with the previous one too.

        Raises WebhookNotFound, VersionMismatch.
        """
        principal.require_admin()
        secret = new_secret()
        sealed = await self._secrets.seal(secret)
        async with self._database.transaction() as connection:
            await locked(connection, webhook_id, expected)
            await connection.run(sql.ROTATE, endpoint_id=webhook_id, secret=sealed)
            row = await found(connection, webhook_id)
        return _with_secret(row, secret)

    async def delete(self, webhook_id: int, principal: Principal, *, expected: Set[int] | None = None) -> Webhook:
        """Delete a webhook with its deliveries, and return it. Raises WebhookNotFound, VersionMismatch."""
        principal.require_admin()
        async with self._database.transaction() as connection:
            await locked(connection, webhook_id, expected)
            row = await found(connection, webhook_id)
            await connection.run(sql.DELETE, endpoint_id=webhook_id)
        return _webhook_of(row)

    async def test(self, webhook_id: int, principal: Principal) -> WebhookTest:
        """Send a test, also to a webhook that is not on, and return what became of it. Raises WebhookNotFound."""
        principal.require_admin()
        async with self._database.reading() as connection:
            row = await connection.one_or_none(sql.SECRETS, endpoint_id=webhook_id)
        if row is None:
            raise WebhookNotFound(str(webhook_id))
        keys = [await self._secrets.open(sealed) for sealed in (row.secret, row.old_secret) if sealed is not None]
        now, body = time.time(), as_json(test_event(datetime.now(UTC)))
        headers = signed_headers(f"test_{token_hex(8)}", int(now), body, keys) | {"content-type": CONTENT_TYPE}
        attempt = await self._sender.send(row.url, headers, body, timeout_s=_test_timeout_s())
        return WebhookTest(
            is_success=attempt.is_success,
            status=attempt.status,
            error=attempt.error,
            duration_ms=attempt.duration_ms,
            request_headers=headers,
            response_head=attempt.response_head,
        )

    async def _ensure_allowed(self, connection: Session, values: Mapping[str, Any]) -> None:
        """Raise InvalidReference if a setting cannot be used."""
        if "url" in values:
            try:
                self._sender.policy.ensure_valid(values["url"])
            except AddressRefused as refusal:
                raise InvalidReference(Fault(str(refusal), "body", "url")) from refusal
        known_types = frozenset(EventKind)
        for index, name in enumerate(values.get("types", ())):
            if name not in known_types:
                raise InvalidReference(Fault("must be a type of event", "body", "types", index))
        await _ensure_groups(connection, values.get("group_ids", ()))


def require_reading_admin(principal: Principal) -> None:
    """Raise Forbidden unless the principal is an admin, and InsufficientScope without the scope `read`."""
    if not principal.is_admin:
        raise Forbidden("only admins may do this")
    principal.require(Scope.READ)


async def found(connection: Session, webhook_id: int) -> Row:
    """Return the row of a webhook. Raises WebhookNotFound."""
    row = await connection.one_or_none(sql.FIND, endpoint_id=webhook_id)
    if row is None:
        raise WebhookNotFound(str(webhook_id))
    return row


async def locked(connection: Session, webhook_id: int, expected: Set[int] | None = None) -> Row:
    """Lock a webhook, and return its row. Raises WebhookNotFound, VersionMismatch."""
    row = await connection.one_or_none(sql.LOCK, endpoint_id=webhook_id)
    if row is None:
        raise WebhookNotFound(str(webhook_id))
    if expected is not None and row.version not in expected:
        raise VersionMismatch(row.version)
    return row


async def _save(connection: Session, before: Row, changes: Mapping[str, Any], *, skips: bool) -> None:
    values = {name: changes.get(name, before[name]) for name in (*_SETTINGS, "state")}
    is_tried_at_once = "state" in changes or values["url"] != before.url
    starts = values["state"] == WebhookState.ON and is_tried_at_once
    values["state_reason"] = before.state_reason if values["state"] == WebhookState.OFF else None
    if skips:
        await connection.run(sql.SKIP_BACKLOG, endpoint_id=before.id)
        await connection.run(sql.END_REPLAYS, endpoint_id=before.id)
    await connection.run(sql.SAVE, endpoint_id=before.id, **values, starts=starts, skips=skips)


async def _ensure_owner(connection: Session, owner: str) -> None:
    row = await connection.one_or_none(sql.OWNER, id=owner)
    if row is None or row.role == Role.MONITOR or (row.role == Role.REQUESTER and row.email is None):
        raise InvalidReference(Fault("must be the id of an active principal that sees tickets", "body", "principal_id"))


async def _ensure_groups(connection: Session, group_ids: Sequence[int]) -> None:
    known = {row.id for row in await connection.rows(sql.KNOWN_GROUPS, ids=list(group_ids))} if group_ids else set()
    for index, group_id in enumerate(group_ids):
        if group_id not in known:
            raise InvalidReference(Fault("must be the id of a group", "body", "group_ids", index))


def _given_secret(text: str) -> bytes:
    try:
        return secret_bytes(text)
    except ValueError as error:
        raise InvalidReference(Fault(str(error), "body", "secret")) from error


def _test_timeout_s() -> float:
    ends_at = deadline.current()
    if ends_at is None:
        return TEST_TIMEOUT_S
    return max(0.1, min(TEST_TIMEOUT_S, ends_at - asyncio.get_running_loop().time() - _RESERVED_S))


def _webhook_of(row: Row) -> Webhook:
    return Webhook.model_validate(dict(row))


def _with_secret(row: Row, secret: bytes) -> WebhookWithSecret:
    return WebhookWithSecret.model_validate(dict(row) | {"secret": secret_text(secret)})
