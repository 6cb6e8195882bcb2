"""The problem types of the event log."""

from collections.abc import Mapping
from typing import Final

from api.problems.problem_type import ProblemType
from core import errors

EVENT_PROBLEMS: Final[Mapping[type[Exception], ProblemType]] = {
    errors.EventsGone: ProblemType(
        410,
        "events-gone",
        "Events gone",
        "The event log no longer has the events after this cursor.",
        "The log keeps events for a limited time, 90 days unless the operator configures another, and begins anew when "
        "the database is restored from a backup. Read what you missed from the resources, for example with "
        "`GET /tickets?sort=updated_at`, then continue with `after` set to `first_cursor`.",
        extensions={"first_cursor": "kpV2mXzZ1r4uQn7y0bD3eFsIjMw1MzRhYzciLCAxMjM0XQ"},
    ),
    errors.EventLogNotReady: ProblemType(
        503,
        "event-log-not-ready",
        "Event log not ready",
        "The earlier events are being numbered; the feed is not available yet.",
        "Send the request again later. A migration numbers the events once, about 100,000 in a second.",
        ("Retry-After",),
    ),
    errors.TooManyStreams: ProblemType(
        503,
        "too-many-streams",
        "Too many streams",
        "This process serves its maximum of streams and waiting requests.",
        "Try again later, or read pages without `wait`. The operator sets the maximum with `MAX_STREAMS`.",
        ("Retry-After",),
    ),
}
