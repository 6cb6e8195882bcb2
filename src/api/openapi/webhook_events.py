"""The `webhooks` of the document (OpenAPI 3.1): the requests that the service sends, one for each type of event."""

from datetime import UTC, datetime
from typing import Final

from api.openapi import JSON
from models import EventKind
from schemas.cloud_events import CloudEvent
from services.events.catalogue import DESCRIPTIONS
from services.events.cloud_event import CONTENT_TYPE
from services.events.event_types import example_of
from services.webhooks.payload import TEST_TYPE, test_event

_HEADERS: Final = {
    "webhook-id": ("The id of the message, the same in every attempt and replay.", "evt_42_7"),
    "webhook-timestamp": ("The time of the attempt, in seconds since 1970.", "1772454821"),
    "webhook-signature": (
        "Signatures by Standard Webhooks 1.0, separated by spaces: `v1,` and the HMAC-SHA256 in base64.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}


_EVENT: Final = {"$ref": f"#/components/schemas/{CloudEvent.__name__}"}
_TEST_EXAMPLE: Final = test_event(datetime(2026, 3, 2, 12, 33, 41, tzinfo=UTC))
_TEST_TEXTS: Final = ("specversion", "id", "source", "type", "datacontenttype")
_TEST_EVENT: Final = {
    "type": "object",
    "description": "A CloudEvent 1.0 of no ticket.",
    "required": [*_TEST_EXAMPLE],
    "properties": {
        **{
            name: {"const": _TEST_EXAMPLE[name], "description": "Always this text.", "examples": [_TEST_EXAMPLE[name]]}
            for name in _TEST_TEXTS
        },
        "time": {
            "type": "string",
            "format": "date-time",
            "description": "The time of the test, in UTC.",
            "examples": [_TEST_EXAMPLE["time"]],
        },
        "data": {"type": "object", "description": "Empty.", "examples": [{}]},
    },
}


def webhooks() -> JSON:
    """Return the section."""
    of_tickets: JSON = {
        kind: {"post": _operation(kind, DESCRIPTIONS[kind], _EVENT, example_of(kind))} for kind in EventKind
    }
    description = "A test of the webhook, which an admin has sent with `POST /webhooks/{webhook_id}/test`."
    return {**of_tickets, TEST_TYPE: {"post": _operation(TEST_TYPE, description, _TEST_EVENT, _TEST_EXAMPLE)}}


def _operation(kind: str, description: str, schema: JSON, example: JSON) -> JSON:
    return {
        "tags": ["webhooks"],
        "operationId": f"on_{kind.replace('.', '_')}",
        "summary": kind,
        "description": description,
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": meaning,
                "schema": {"type": "string", "examples": [value]},
            }
            for name, (meaning, value) in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "description": "The event.",
            "content": {
                CONTENT_TYPE: {
                    "schema": schema,
                    "examples": {kind: {"value": example}},
                }
            },
        },
        "responses": {
            "2XX": {"description": "The receiver has processed the event, or will: it is not sent again."},
            "410": {"description": "The receiver is gone: the webhook is switched off."},
            "default": {"description": "The event is sent again later."},
        },
    }
