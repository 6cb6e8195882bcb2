"""The checker of events finds each kind of violation."""

import math
from dataclasses import replace

import pytest

from chaos.event_checker import log_violations, reader_violations
from chaos.reading import Detail, Logged, Reading, Seen
from support.factories import JSON

ALICE, BOB = "alice@example.com", "bob@example.com"
SUBJECT: JSON = {"subject": {"from": "a", "to": "b"}}
TAGS: JSON = {"tags": {"added": ["red"], "removed": []}}

LOG = [
    Logged(1, 7, 1, ALICE, {}, {}),
    Logged(2, 8, 1, BOB, {}, {}),
    Logged(3, 7, 2, ALICE, SUBJECT, SUBJECT | TAGS),
    Logged(4, 7, 3, ALICE, None, {"comment_id": 5}),
    Logged(5, 7, 4, ALICE, {"comment_id": 6}, {"comment_id": 6}),
]
OF_ALICE = [LOG[0], LOG[2], LOG[4]]


def seen(reading: Reading, logged: Logged, **others: float) -> Seen:
    """Return an event as the reader must get it."""
    data = dict(reading.data_of(logged))
    if reading.detail is Detail.FULL and "comment_id" in data:
        data["comment"] = {"id": data["comment_id"], "text": "hello"}
    event = {
        "id": f"{logged.ticket_id}.{logged.version}",
        "sequence": f"{logged.position:020d}",
        "subject": str(logged.ticket_id),
        "ticketversion": logged.version,
        "data": data,
    }
    return Seen(event, **others)  # type: ignore[arg-type]


def got(reading: Reading, events: list[Logged]) -> Reading:
    reading.seen += [seen(reading, event, at=number, accepted_at=number) for number, event in enumerate(events)]
    return reading


def violations(reading: Reading) -> str:
    return "\n".join(reader_violations(reading, LOG))


AGENT, REQUESTER = Reading("agent"), Reading("alice", ALICE)
HOOK = Reading("hook", ALICE, detail=Detail.FULL, is_in_log_order=False)


def new(reading: Reading) -> Reading:
    return replace(reading, seen=[], refusals=[])


@pytest.mark.parametrize(
    ("reading", "events"),
    [
        (AGENT, LOG),
        (REQUESTER, OF_ALICE),
        (replace(AGENT, ticket_id=8), [LOG[1]]),
        (replace(AGENT, detail=Detail.THIN, is_in_log_order=False), [LOG[1], LOG[0], *LOG[2:]]),
        (HOOK, OF_ALICE),
    ],
)
def test_a_reader_that_has_everything_has_no_violation(reading: Reading, events: list[Logged]) -> None:
    assert violations(got(new(reading), events)) == ""


def test_an_event_that_is_repeated_by_another_connection_is_no_violation() -> None:
    reading = got(new(REQUESTER), OF_ALICE)
    reading.seen.insert(2, seen(reading, LOG[0], connection=1))
    assert violations(reading) == ""


@pytest.mark.parametrize("reading", [REQUESTER, HOOK])
def test_a_lost_event(reading: Reading) -> None:
    assert "lacks 1 events (7.4)" in violations(got(new(reading), OF_ALICE[:2]))


def test_an_event_that_a_receiver_never_accepted_is_lost() -> None:
    reading = got(new(HOOK), OF_ALICE)
    reading.seen[2] = replace(reading.seen[2], accepted_at=math.inf)
    assert "lacks 1 events (7.4)" in violations(reading)


def test_an_event_that_comes_again_with_another_content() -> None:
    reading = got(new(AGENT), LOG)
    other = reading.seen[4].event | {"actor": "key:other"}
    reading.seen.append(Seen(other, connection=1))
    assert "7.4 came again with another content" in violations(reading)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": {}}, "but the history has"),
        ({"sequence": "9"}, "came as number 9 of the log"),
        ({"ticketversion": 1}, "came for version 1"),
        ({"data": SUBJECT | TAGS | {"comment": {"id": 1}}}, "came with the comment"),
    ],
)
def test_an_event_with_another_content_than_the_history(change: JSON, message: str) -> None:
    reading = got(new(AGENT), LOG)
    reading.seen[2] = replace(reading.seen[2], event=reading.seen[2].event | change)
    assert message in violations(reading)


@pytest.mark.parametrize("leaked", [LOG[1], LOG[3]], ids=["of another requester", "internal"])
@pytest.mark.parametrize("reading", [REQUESTER, HOOK])
def test_a_leaked_event(reading: Reading, leaked: Logged) -> None:
    assert "which it may not see" in violations(
        got(new(reading), sorted([*OF_ALICE, leaked], key=lambda e: e.position))
    )


def test_a_leaked_fact() -> None:
    reading = got(new(REQUESTER), OF_ALICE)
    reading.seen[1] = replace(reading.seen[1], event=reading.seen[1].event | {"data": SUBJECT | TAGS})
    assert "but the history has" in violations(reading)


def test_a_text_in_a_thin_event() -> None:
    reading = got(replace(new(REQUESTER), detail=Detail.THIN), OF_ALICE)
    assert violations(reading) == ""
    reading.seen[1] = replace(reading.seen[1], event=reading.seen[1].event | {"data": SUBJECT})
    assert "but the history has" in violations(reading)


def test_an_event_that_never_happened() -> None:
    reading = got(new(AGENT), [*LOG, Logged(6, 9, 1, ALICE, {}, {})])
    assert "which the history lacks" in violations(reading)


def test_events_in_another_order_than_the_log() -> None:
    reordered = [LOG[1], LOG[0], *LOG[2:]]
    assert "came after number 2" in violations(got(new(AGENT), reordered))


def test_an_event_that_first_comes_after_later_ones_of_another_connection() -> None:
    reading = got(new(AGENT), LOG)
    reading.seen[0], reading.seen[1] = reading.seen[1], replace(reading.seen[0], connection=1)
    assert "first came after number 2" in violations(reading)


def test_a_connection_that_repeats_an_event() -> None:
    assert "came after number 5" in violations(got(new(AGENT), [*LOG, LOG[4]]))


def test_a_webhook_that_sends_a_version_before_the_earlier_one_is_accepted() -> None:
    reading = got(new(HOOK), OF_ALICE)
    reading.seen[0] = replace(reading.seen[0], accepted_at=1.5)
    assert "7.2 came before its receiver had accepted the versions [1]" in violations(reading)


def test_a_refused_reader() -> None:
    reading = got(new(AGENT), LOG)
    reading.refusals.append("410 gone")
    assert "agent was refused: 410 gone" in violations(reading)


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ([(1, (7, 1))], "the log lacks 1 events (7.2)"),
        ([(1, (7, 1)), (2, (7, 2)), (3, (7, 3))], "which the history lacks"),
        ([(1, (7, 1)), (2, (7, 2)), (3, (7, 2))], "1 events twice"),
        ([(1, (7, 1)), (3, (7, 2))], "have gaps"),
        ([(1, (7, 2)), (2, (7, 1))], "version 1 of ticket 7 follows version 2"),
    ],
)
def test_a_log_that_differs_from_the_history(log: list[tuple[int, tuple[int, int]]], message: str) -> None:
    assert message in "\n".join(log_violations({(7, 1), (7, 2)}, log))
    assert list(log_violations({(7, 1), (7, 2)}, [(1, (7, 1)), (2, (7, 2))])) == []
