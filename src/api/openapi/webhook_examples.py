"""The examples of webhooks. Each request succeeds unchanged."""

from typing import Any, Final

from api.openapi.directory_examples import example_of
from schemas.webhook_deliveries import Delivery, DeliveryAttempt, Replay
from schemas.webhooks import Webhook, WebhookTest, WebhookWithSecret

_URL: Final = "https://hooks.example.com/tickets"

NEW_WEBHOOK: Final = {
    "everything": {"summary": "All events", "value": {"url": _URL}},
    "some": {
        "summary": "New tickets and comments of important customers",
        "value": {"url": _URL, "types": ["ticket.created", "ticket.commented"], "tags": ["vip"], "detail": "full"},
    },
}
WEBHOOK_PATCH: Final = {
    "pause": {"summary": "Pause it", "value": {"state": "paused"}},
    "resume": {"summary": "Go on, without what was not sent", "value": {"state": "on", "skip_backlog": True}},
}
NEW_REPLAY: Final = {
    "dead": {
        "summary": "What could not be delivered during a day",
        "value": {"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z", "only_dead": True},
    },
    "range": {"summary": "Everything since a time", "value": {"from": "2026-03-02T09:00:00Z"}},
}

_WEBHOOK: Final = example_of(Webhook, state_reason=None, failing_since=None, paused_until=None, old_secret_until=None)
_DELIVERY: Final = example_of(Delivery, next_at=None, last_attempt=example_of(DeliveryAttempt, error=None))
_PENDING: Final = _DELIVERY | {"state": "pending", "attempts": 0, "finished_at": None, "last_attempt": None}

WEBHOOK_RESPONSES: Final[dict[str, Any]] = {
    "webhook": _WEBHOOK,
    "webhooks": {"items": [_WEBHOOK]},
    "webhook-with-secret": _WEBHOOK | {"secret": example_of(WebhookWithSecret)["secret"]},
    "webhook-test": example_of(WebhookTest, is_success=True, error=None),
    "deliveries": {"items": [_DELIVERY], "next_cursor": None},
    "replayed-delivery": _PENDING | {"id": 2, "reason": "replay", "next_at": _DELIVERY["created_at"]},
    "replay": example_of(Replay, finished_at=None),
}
