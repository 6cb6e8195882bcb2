"""The catalogue of the types as readers get it, made once."""

from typing import Any, Final

from models import EventKind
from schemas.cloud_events import CloudEvent, EventKindDetails, EventKindList
from schemas.event_data import EventData
from services.events.catalogue import DESCRIPTIONS, EXAMPLES
from services.events.cloud_event import SOURCE, SPEC_VERSION


def example_of(kind: EventKind) -> dict[str, Any]:
    """Return a CloudEvent of a type."""
    return {
        "specversion": SPEC_VERSION,
        "id": "42.7",
        "source": SOURCE,
        "type": kind,
        "subject": "42",
        "time": "2026-03-02T12:33:41.904112Z",
        "datacontenttype": "application/json",
        "sequence": "00000000000000001234",
        "ticketversion": 7,
        "actor": "key:crm",
        "data": dict(EXAMPLES[kind]),
    }


def _details(kind: EventKind) -> EventKindDetails:
    return EventKindDetails(
        type=kind,
        description=DESCRIPTIONS[kind],
        data_schema=EventData.model_json_schema(),
        example=CloudEvent.model_validate(example_of(kind)),
    )


EVENT_TYPES: Final = EventKindList(items=[_details(kind) for kind in EventKind])
