"""Webhooks: addresses of other programs that events are sent to."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import BeforeValidator, Field

from api.dependencies import AllDeliveries, AllReplays, AllWebhooks, Caller
from api.http.checked_route import CheckedRoute
from api.http.conditional import ExpectedVersions
from api.http.headers import etag_of, link_to_next, location_of
from api.openapi import webhook_responses as docs
from api.openapi.request_bodies import PATCHES_WEBHOOK, NewReplay, NewWebhook, WebhookChange
from api.openapi.responses import MUTATES, READS, WRITES, responses
from core.errors import (
    DeliveryNotFound,
    InvalidCursor,
    InvalidReference,
    ReplayNotFound,
    TooManyDeliveries,
    TooManyWebhooks,
    VersionMismatch,
    WebhookNotFound,
)
from schemas.fields import ID_MAX, plain_number
from schemas.webhook_deliveries import Delivery, DeliveryPage, DeliveryQuery, Replay
from schemas.webhooks import Webhook, WebhookList, WebhookTest, WebhookWithSecret

router = APIRouter(prefix="/webhooks", tags=["webhooks"], route_class=CheckedRoute)

_Number = Annotated[int, Field(ge=1, le=ID_MAX), BeforeValidator(plain_number)]
_WebhookId = Annotated[_Number, Path(description="The id of the webhook.", examples=[1])]
_DeliveryId = Annotated[_Number, Path(description="The id of the delivery.", examples=[1])]
_ReplayId = Annotated[_Number, Path(description="The id of the replay.", examples=[1])]
_Deliveries = Annotated[DeliveryQuery, Query()]


@router.get("", responses=responses(READS, docs.WEBHOOKS))
async def list_webhooks(webhooks: AllWebhooks, principal: Caller) -> WebhookList:
    """List webhooks.

    Returns all webhooks in the order of their ids, without their secrets.
    """
    return await webhooks.all(principal)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=responses(WRITES, docs.WEBHOOK_CREATED, TooManyWebhooks, InvalidReference),
)
async def create_webhook(
    new: NewWebhook, webhooks: AllWebhooks, principal: Caller, response: Response
) -> WebhookWithSecret:
    """Create a webhook.

    Events that are published from now on are sent to its address, as CloudEvents in JSON, signed as Standard Webhooks
    defines. Each is sent until the receiver responds with a status from 200 to 299, at least once, for three days.
    Versions of one ticket arrive in their order, unless one fails for five minutes. Only this response and those to
    `POST /webhooks/{webhook_id}/rotate-secret` contain the secret.
    """
    webhook = await webhooks.create(new, principal)
    response.headers.update(etag_of(webhook.version) | location_of("/webhooks", webhook.id))
    return webhook


@router.get("/{webhook_id}", responses=responses(READS, docs.WEBHOOK, WebhookNotFound))
async def get_webhook(webhook_id: _WebhookId, webhooks: AllWebhooks, principal: Caller, response: Response) -> Webhook:
    """Get a webhook.

    Returns the webhook without its secret.
    """
    webhook = await webhooks.find(webhook_id, principal)
    response.headers.update(etag_of(webhook.version))
    return webhook


@router.patch(
    "/{webhook_id}",
    responses=responses(WRITES, docs.WEBHOOK_CHANGED, WebhookNotFound, VersionMismatch, InvalidReference),
    openapi_extra=PATCHES_WEBHOOK,
)
async def change_webhook(
    webhook_id: _WebhookId,
    patch: WebhookChange,
    expected: ExpectedVersions,
    webhooks: AllWebhooks,
    principal: Caller,
    response: Response,
) -> Webhook:
    """Change a webhook.

    The body is a merge patch (RFC 7396). With the state `on`, a webhook that was paused or switched off goes on where
    it stopped, and a pause because of failures ends. Filters apply to events that are read from the log after the
    change.
    """
    webhook = await webhooks.change(webhook_id, patch, principal, expected=expected)
    response.headers.update(etag_of(webhook.version))
    return webhook


@router.delete("/{webhook_id}", responses=responses(MUTATES, docs.WEBHOOK_DELETED, WebhookNotFound, VersionMismatch))
async def delete_webhook(
    webhook_id: _WebhookId, expected: ExpectedVersions, webhooks: AllWebhooks, principal: Caller
) -> Webhook:
    """Delete a webhook.

    Nothing is sent to it any more, and its deliveries are deleted. Returns the webhook as it was.
    """
    return await webhooks.delete(webhook_id, principal, expected=expected)


@router.post(
    "/{webhook_id}/rotate-secret",
    responses=responses(MUTATES, docs.SECRET_ROTATED, WebhookNotFound, VersionMismatch),
)
async def rotate_secret(
    webhook_id: _WebhookId,
    expected: ExpectedVersions,
    webhooks: AllWebhooks,
    principal: Caller,
    response: Response,
) -> WebhookWithSecret:
    """Rotate the secret of a webhook.

    Returns the new secret. For 24 hours, requests carry a signature of each of the two, so that the receiver can change
    to the new one at any time. Another rotation within these 24 hours replaces the new secret and keeps the previous
    one for 24 hours more. With `If-Match`, a request that is sent twice rotates once.
    """
    webhook = await webhooks.rotate_secret(webhook_id, principal, expected=expected)
    response.headers.update(etag_of(webhook.version))
    return webhook


@router.post("/{webhook_id}/test", responses=responses(MUTATES, docs.WEBHOOK_TESTED, WebhookNotFound))
async def test_webhook(webhook_id: _WebhookId, webhooks: AllWebhooks, principal: Caller) -> WebhookTest:
    """Test a webhook.

    Sends an event of the type `webhook.test`, waits up to 8 s for the response, and returns it with the headers that
    were sent. A failure has no consequence for the webhook.
    """
    return await webhooks.test(webhook_id, principal)


@router.get("/{webhook_id}/deliveries", responses=responses(READS, docs.DELIVERIES, WebhookNotFound, InvalidCursor))
async def list_deliveries(
    webhook_id: _WebhookId,
    query: _Deliveries,
    deliveries: AllDeliveries,
    principal: Caller,
    request: Request,
    response: Response,
) -> DeliveryPage:
    """List the deliveries of a webhook.

    Returns the deliveries that are pending, and those that ended within 30 days, the latest first. Events that wait in
    the log, because a thousand deliveries are pending or the webhook is not on, have no delivery yet.
    """
    found = await deliveries.page(webhook_id, query, principal)
    response.headers.update(link_to_next(request.scope, found.next_cursor))
    return found


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay",
    status_code=status.HTTP_202_ACCEPTED,
    responses=responses(MUTATES, docs.DELIVERY_REPLAYED, WebhookNotFound, DeliveryNotFound, TooManyDeliveries),
)
async def replay_delivery(
    webhook_id: _WebhookId, delivery_id: _DeliveryId, deliveries: AllDeliveries, principal: Caller
) -> Delivery:
    """Send an event again.

    Returns a new delivery of the same event, with the same `webhook-id`. A delivery that is pending is tried at once
    instead.
    """
    return await deliveries.replay(webhook_id, delivery_id, principal)


@router.post(
    "/{webhook_id}/replays",
    status_code=status.HTTP_202_ACCEPTED,
    responses=responses(WRITES, docs.REPLAY_STARTED, WebhookNotFound, InvalidCursor),
)
async def start_replay(
    webhook_id: _WebhookId, new: NewReplay, replays: AllReplays, principal: Caller, response: Response
) -> Replay:
    """Send the events of a range again.

    The range is one of time, or begins after a cursor of the feed; events that the log has deleted are not part of it.
    New events are sent meanwhile. `Location` has the progress.
    """
    replay = await replays.start(webhook_id, new, principal)
    response.headers.update(location_of(f"/webhooks/{webhook_id}/replays", replay.id))
    return replay


@router.get(
    "/{webhook_id}/replays/{replay_id}", responses=responses(READS, docs.REPLAY, WebhookNotFound, ReplayNotFound)
)
async def get_replay(webhook_id: _WebhookId, replay_id: _ReplayId, replays: AllReplays, principal: Caller) -> Replay:
    """Get a replay.

    Returns the replay with its progress.
    """
    return await replays.find(webhook_id, replay_id, principal)
