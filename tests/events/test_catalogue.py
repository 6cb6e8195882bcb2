"""The type that readers get of an event."""

import pytest

from models import EventKind, EventType
from services.events.catalogue import kind_of


@pytest.mark.parametrize(
    ("event_type", "members", "kind"),
    [
        (EventType.CREATED, {"priority"}, EventKind.CREATED),
        (EventType.CHANGED, {"status", "priority"}, EventKind.TRANSITIONED),
        (EventType.CHANGED, set(), EventKind.CHANGED),
        ("of_a_later_release", {"tags"}, EventKind.TAGGED),
        ("of_a_later_release", {"later"}, EventKind.CHANGED),
    ],
)
def test_an_event_has_one_type_also_if_a_later_release_wrote_it(
    event_type: str, members: set[str], kind: EventKind
) -> None:
    assert kind_of(event_type, members) is kind
