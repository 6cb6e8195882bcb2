"""Examples of the feed of events."""

from typing import Any, Final

from models import EventKind
from schemas.cloud_events import CURSOR_EXAMPLE
from services.events.event_types import EVENT_TYPES, example_of

EVENT_RESPONSES: Final[dict[str, Any]] = {
    "events": {"items": [example_of(EventKind.COMMENTED)], "next_cursor": CURSOR_EXAMPLE, "has_more": False},
    "no-events": {"items": [], "next_cursor": CURSOR_EXAMPLE, "has_more": False},
    "event-types": {"items": [EVENT_TYPES.items[3].model_dump(mode="json") | {"data_schema": {"type": "object"}}]},
}
