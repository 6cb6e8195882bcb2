"""The problem types of webhooks."""

from collections.abc import Mapping
from typing import Final

from api.problems.problem_type import ProblemType
from core import errors

WEBHOOK_PROBLEMS: Final[Mapping[type[Exception], ProblemType]] = {
    errors.WebhookNotFound: ProblemType(
        404,
        "webhook-not-found",
        "Webhook not found",
        "No webhook with this id exists.",
        "Check the id: the webhook may have been deleted. `GET /webhooks` lists all webhooks.",
    ),
    errors.DeliveryNotFound: ProblemType(
        404,
        "delivery-not-found",
        "Delivery not found",
        "The webhook has no delivery with this id.",
        "Check the id. Deliveries are deleted 30 days after their end; to send an older event again, start a replay "
        "with `POST /webhooks/{webhook_id}/replays`. `GET /webhooks/{webhook_id}/deliveries` lists the deliveries.",
    ),
    errors.ReplayNotFound: ProblemType(
        404,
        "replay-not-found",
        "Replay not found",
        "The webhook has no replay with this id.",
        "Check the id, which `POST /webhooks/{webhook_id}/replays` returned. Replays are deleted 30 days after their "
        "end.",
    ),
    errors.TooManyWebhooks: ProblemType(
        409,
        "too-many-webhooks",
        "Too many webhooks",
        "There are 100 webhooks, which is the maximum.",
        "Delete webhooks that are not used, or let one receiver pass the events on to several.",
    ),
    errors.TooManyDeliveries: ProblemType(
        409,
        "too-many-deliveries",
        "Too many deliveries",
        "1,000 deliveries of this webhook wait, which is the maximum.",
        "Wait until some of them have ended, or start a replay with `POST /webhooks/{webhook_id}/replays`, which waits "
        "itself.",
    ),
}
