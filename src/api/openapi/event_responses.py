"""The successes of the operations on events."""

from typing import Final

from api.openapi.responses import ResponseDoc

EVENTS: Final = ResponseDoc(
    200, "A page of events; with `Accept: text/event-stream` a stream.", (), ("events", "no-events")
)
EVENT_TYPES: Final = ResponseDoc(200, "The types.", (), ("event-types",))
