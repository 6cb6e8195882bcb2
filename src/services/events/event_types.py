"""The catalogue of the types as readers get it, made once."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from models import SYSTEM_TICKET_ID, EventKind
from schemas.cloud_events import CloudEvent, EventKindDetails, EventKindList
from schemas.event_data import EventData, WebhookDisabledData
from services.events.catalogue import DESCRIPTIONS, EXAMPLES
from services.events.cloud_event import SOURCE, SPEC_VERSION, WEBHOOKS_ACTOR, WEBHOOKS_SOURCE

_SCHEMAS: Final[Mapping[EventKind, type[BaseModel]]] = {EventKind.WEBHOOK_DISABLED: WebhookDisabledData}


def example_of(kind: EventKind) -> dict[str, Any]:
    """Return a CloudEvent of a type."""
    data = dict(EXAMPLES[kind])
    is_of_ticket = "webhook_id" not in data
    return {
        "specversion": SPEC_VERSION,
        "id": "42.7" if is_of_ticket else f"{SYSTEM_TICKET_ID}.7",
        "source": SOURCE if is_of_ticket else WEBHOOKS_SOURCE,
        "type": kind,
        "subject": "42" if is_of_ticket else str(data["webhook_id"]),
        "time": "2026-03-02T12:33:41.904112Z",
        "datacontenttype": "application/json",
        "sequence": "00000000000000001234",
        **({"ticketversion": 7} if is_of_ticket else {}),
        "actor": "key:crm" if is_of_ticket else WEBHOOKS_ACTOR,
        "data": data,
    }


def _details(kind: EventKind) -> EventKindDetails:
    return EventKindDetails(
        type=kind,
        description=DESCRIPTIONS[kind],
        data_schema=_SCHEMAS.get(kind, EventData).model_json_schema(),
        example=CloudEvent.model_validate(example_of(kind)),
    )


EVENT_TYPES: Final = EventKindList(items=[_details(kind) for kind in EventKind])
