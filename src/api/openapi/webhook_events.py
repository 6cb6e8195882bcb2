"""The `webhooks` of the document (OpenAPI 3.1): the requests that the service sends, one for each type of event."""

from typing import Final

from api.openapi import JSON
from models import EventKind
from schemas.cloud_events import CloudEvent
from services.events.catalogue import DESCRIPTIONS
from services.events.cloud_event import CONTENT_TYPE
from services.events.event_types import example_of

_HEADERS: Final = {
    "webhook-id": ("The id of the delivery, the same in every attempt.", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"),
    "webhook-timestamp": ("The time of the attempt, in seconds since 1970.", "1772454821"),
    "webhook-signature": (
        "Signatures by Standard Webhooks 1.0, separated by spaces: `v1,` and the HMAC-SHA256 in base64.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}


def webhooks() -> JSON:
    """Return the section."""
    return {kind: {"post": _operation(kind)} for kind in EventKind}


def _operation(kind: EventKind) -> JSON:
    return {
        "tags": ["webhooks"],
        "operationId": f"on_{kind.replace('.', '_')}",
        "summary": kind,
        "description": DESCRIPTIONS[kind],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": description,
                "schema": {"type": "string", "examples": [example]},
            }
            for name, (description, example) in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "description": "The event.",
            "content": {
                CONTENT_TYPE: {
                    "schema": {"$ref": f"#/components/schemas/{CloudEvent.__name__}"},
                    "examples": {kind: {"value": example_of(kind)}},
                }
            },
        },
        "responses": {
            "2XX": {"description": "The receiver has processed the event, or will: it is not sent again."},
            "410": {"description": "The receiver is gone: the webhook is switched off."},
            "default": {"description": "The event is sent again later."},
        },
    }
