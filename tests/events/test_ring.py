"""The events that a process keeps for its streams."""

import json
from datetime import UTC, datetime
from typing import Any

from models import Audience, EventKind
from services.cursors import Cursors
from services.events.ring import Entry, EventRing, Frame, entries_of

EPOCH = "a"
VIEWERS = frozenset({"alice@example.com"})


class ARow(dict[str, Any]):
    """A row of the statement ENTRIES."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


def a_row(position: int, **values: Any) -> Any:
    return ARow(
        {
            "position": position,
            "ticket_id": 1,
            "version": position,
            "type": "changed",
            "data": "{}",
            "internal": None,
            "audience": Audience.PUBLIC,
            "actor": "test",
            "created_at": datetime(2026, 3, 2, tzinfo=UTC),
            "viewers": ["alice@example.com"],
        }
        | values
    )


def an_entry(position: int, text: bytes = b"text", ticket_id: int = 1) -> Entry:
    frame = Frame(EventKind.CHANGED, text)
    return Entry(position, ticket_id, VIEWERS, frame, frame)


def positions(ring: EventRing, after: int) -> list[int] | None:
    entries = ring.after(after, EPOCH)
    return None if entries is None else [entry.position for entry in entries]


def test_a_ring_has_what_follows_a_position_or_says_that_it_has_not_all() -> None:
    ring = EventRing(max_entries=3)
    assert positions(ring, 0) is None
    ring.begin(10, EPOCH)
    ring.extend([an_entry(11), an_entry(12)])
    assert [positions(ring, each) for each in (9, 10, 11, 12, 13)] == [None, [11, 12], [12], [], []]
    ring.extend([an_entry(13), an_entry(14)])
    assert [positions(ring, each) for each in (10, 11, 13)] == [None, [12, 13, 14], [14]]
    assert ring.after(13, "other") is None


def test_a_ring_is_bounded_by_bytes() -> None:
    ring = EventRing(max_bytes=100)
    ring.begin(0, EPOCH)
    for position in range(1, 11):
        ring.extend([an_entry(position, b"x" * 40)])
        assert ring.size_bytes <= 100
    assert positions(ring, 8) == [9, 10]
    ring.extend([an_entry(11, b"x" * 101)])
    assert (len(ring), ring.size_bytes, positions(ring, 11), positions(ring, 10)) == (0, 0, [], None)


def test_agents_and_requesters_share_a_frame_if_they_get_the_same_facts() -> None:
    same, other, hidden = entries_of(
        [
            a_row(1, data='{"subject":{"from":"a","to":"b"}}'),
            a_row(2, data='{"subject":{"from":"a","to":"b"}}', internal='{"tags":{"from":[],"to":["red"]}}'),
            a_row(3, audience=Audience.INTERNAL),
        ],
        Cursors(b"secret"),
        EPOCH,
    )
    assert same.public is same.internal
    assert same.size_bytes == len(same.internal.text)
    assert other.public is not None
    assert other.size_bytes == len(other.internal.text) + len(other.public.text)
    assert b"red" in other.internal.text
    assert b"red" not in other.public.text
    assert hidden.public is None


def test_when_participants_change_the_earlier_entries_of_the_ticket_get_the_viewers_of_now() -> None:
    ring = EventRing()
    ring.begin(0, EPOCH)
    ring.extend([an_entry(1), an_entry(2, ticket_id=2)])
    change = {"participants": {"from": ["alice@example.com"], "to": ["bob@example.com"]}}
    row = a_row(3, data=json.dumps(change), viewers=["bob@example.com"])
    ring.extend(entries_of([row], Cursors(b"secret"), EPOCH))
    entries = ring.after(0, EPOCH)
    assert entries is not None
    assert [entry.viewers for entry in entries] == [{"bob@example.com"}, VIEWERS, {"bob@example.com"}]
