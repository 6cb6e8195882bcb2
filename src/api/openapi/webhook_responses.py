"""The successes of the operations on webhooks."""

from typing import Final

from api.openapi.responses import ResponseDoc

WEBHOOKS: Final = ResponseDoc(200, "The webhooks.", (), ("webhooks",))
WEBHOOK: Final = ResponseDoc(200, "The webhook.", ("ETag",), ("webhook",))
WEBHOOK_CREATED: Final = ResponseDoc(
    201, "The created webhook with its secret.", ("Location", "ETag"), ("webhook-with-secret",)
)
WEBHOOK_CHANGED: Final = ResponseDoc(200, "The webhook after the change.", ("ETag",), ("webhook",))
WEBHOOK_DELETED: Final = ResponseDoc(200, "The webhook before its deletion.", (), ("webhook",))
SECRET_ROTATED: Final = ResponseDoc(200, "The webhook with its new secret.", ("ETag",), ("webhook-with-secret",))
WEBHOOK_TESTED: Final = ResponseDoc(200, "What became of the test.", (), ("webhook-test",))
DELIVERIES: Final = ResponseDoc(200, "A page of deliveries.", ("Link",), ("deliveries",))
DELIVERY_REPLAYED: Final = ResponseDoc(202, "The delivery that will be sent.", (), ("replayed-delivery",))
REPLAY_STARTED: Final = ResponseDoc(202, "The started replay.", ("Location",), ("replay",))
REPLAY: Final = ResponseDoc(200, "The replay with its progress.", (), ("replay",))
