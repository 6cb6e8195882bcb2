"""The checker finds each kind of violation in a history that contains one."""

from dataclasses import replace
from typing import Any

import pytest

from chaos.checker import Verdict, check
from chaos.history import Event, Final, History, Kind, Operation, Outcome, State

OPEN, SECOND, THIRD = State("open", "a"), State("answered", "a", 1, "b"), State("answered", "c", 1, "b")

CREATE = Operation(
    kind=Kind.CREATE, token="a", ticket_id=1, version=1, outcome=Outcome.ACKNOWLEDGED, began_at=0, ended_at=1
)
REPLY = replace(CREATE, kind=Kind.REPLY, token="b", target="answered", version=2, began_at=10, ended_at=11)
EDIT = replace(CREATE, kind=Kind.EDIT, token="c", version=3, began_at=20, ended_at=21)

CONFIRM = replace(CREATE, kind=Kind.CONFIRM, token="c", version=3, expected=3, began_at=30, ended_at=31)


def read(version: int, began_at: float, ended_at: float, **others: Any) -> Operation:
    seen = {1: OPEN, 2: SECOND, 3: THIRD}.get(version, OPEN)
    a_read = replace(CREATE, kind=Kind.READ, token="", how="tickets; hit", seen=seen)
    return replace(a_read, version=version, began_at=began_at, ended_at=ended_at, **others)


@pytest.fixture
def history() -> History:
    """A correct history: a ticket is created, gets a comment with a transition, and gets another subject."""
    history = History()
    history.operations += [CREATE, read(1, 2, 3), REPLY, read(2, 12, 13), EDIT, read(3, 22, 23)]
    events = [Event(1, "a"), Event(2, "b", is_comment=True, moved=("open", "answered")), Event(3, "c")]
    history.finals[1] = Final(1, 3, THIRD, events, ["b"])
    return history


def violations(history: History, final: Final | None = None) -> str:
    """Return the violations of a history, with another final state if one is given."""
    if final is not None:
        history.finals[1] = final
    return "\n".join(map(str, check(history).violations))


def verdict_with(history: History, *operations: Operation) -> Verdict:
    history.operations += operations
    return check(history)


def test_a_correct_history_has_no_violation(history: History) -> None:
    assert check(history) == Verdict()


def test_a_read_during_a_write_may_return_either_version(history: History) -> None:
    assert verdict_with(history, read(1, 10.1, 10.9), read(2, 10.2, 10.8)) == Verdict()


def test_a_stale_read(history: History) -> None:
    history.operations.append(read(2, 21.1, 21.2))
    assert "is stale" in violations(history)


def test_a_stale_read_from_the_database(history: History) -> None:
    history.operations.append(read(2, 21.1, 21.2, how="tickets; fwd=miss"))
    assert "is stale" in violations(history)


def test_a_stale_read_of_a_version_that_only_an_edit_without_a_change_acknowledged(history: History) -> None:
    history.operations[history.operations.index(EDIT)] = replace(EDIT, outcome=Outcome.UNKNOWN, version=None)
    history.operations.append(read(2, 23.5, 23.6))
    assert violations(history) == ""
    history.operations.append(replace(CONFIRM, began_at=23.1, ended_at=23.4))
    assert "is stale" in violations(history)


def test_an_edit_without_a_change_on_an_old_version(history: History) -> None:
    history.operations += [CONFIRM, replace(CONFIRM, version=2, expected=3)]
    assert "an edit without a change is stale" in violations(history)
    assert "did not expect" in violations(history)


def test_a_stale_read_that_says_so_is_counted_apart(history: History) -> None:
    verdict = verdict_with(history, read(2, 21.1, 21.2, how="tickets; hit; detail=stale-if-error"))
    assert verdict.violations == []
    assert verdict.apart["labelled stale-if-error, and stale"] == 1


def test_a_read_that_says_that_it_may_be_stale_still_shows_a_version(history: History) -> None:
    history.operations.append(read(3, 24, 25, seen=SECOND, how="tickets; hit; detail=stale-if-error"))
    assert "but that version was" in violations(history)


def test_a_read_from_the_future(history: History) -> None:
    history.operations.append(read(3, 18, 19))
    assert "from the future" in violations(history)


def test_a_version_that_never_existed(history: History) -> None:
    history.operations.append(read(4, 24, 25))
    assert "never existed" in violations(history)


def test_reads_that_go_backwards_before_the_write_is_acknowledged_are_counted_apart(history: History) -> None:
    verdict = verdict_with(history, read(3, 20.5, 20.6), read(2, 20.7, 20.8))
    assert verdict.violations == []
    assert verdict.apart.total() == 1


def test_reads_that_go_backwards_after_the_write_was_acknowledged(history: History) -> None:
    history.operations += [read(3, 21.1, 21.2), read(2, 21.3, 21.4)]
    assert "is stale" in violations(history)


def test_reads_that_overlap_may_go_backwards(history: History) -> None:
    assert verdict_with(history, read(3, 20.5, 20.7), read(2, 20.6, 20.8)) == Verdict()


def test_a_version_with_the_content_of_another(history: History) -> None:
    history.operations.append(read(3, 24, 25, seen=SECOND))
    assert "but that version was" in violations(history)


def test_an_acknowledged_comment_that_was_lost(history: History) -> None:
    final = history.finals[1]
    lost = replace(final, version=2, state=State("open", "c"), events=[Event(1, "a"), Event(2, "c")], comments=[])
    assert "acknowledged once, but found at no version" in violations(history, lost)


def test_an_acknowledged_comment_whose_row_was_lost(history: History) -> None:
    assert "events without a comment: ['b']" in violations(history, replace(history.finals[1], comments=[]))


def test_an_acknowledged_comment_that_was_doubled(history: History) -> None:
    final = history.finals[1]
    doubled = replace(final, version=4, events=[*final.events, Event(4, "b", is_comment=True)], comments=["b", "b"])
    assert "acknowledged once, but found at [(1, 2), (1, 4)]" in violations(history, doubled)


def test_a_comment_row_that_was_doubled(history: History) -> None:
    assert "comments without an event: ['b']" in violations(history, replace(history.finals[1], comments=["b", "b"]))


def test_a_ticket_that_was_lost(history: History) -> None:
    history.finals.clear()
    assert "ticket 1: is lost" in violations(history)


def test_an_illegal_transition(history: History) -> None:
    final = history.finals[1]
    events = [*final.events[:2], Event(3, "c", moved=("answered", "open"))]
    assert "goes from answered to open" in violations(history, replace(final, events=events))


def test_a_change_of_a_closed_ticket(history: History) -> None:
    final = history.finals[1]
    events = [final.events[0], replace(final.events[1], moved=("open", "closed")), final.events[2]]
    assert "version 3 comes after it was closed" in violations(history, replace(final, events=events))


@pytest.mark.parametrize("versions", [(1, 2, 4), (1, 2, 2), (1, 3)])
def test_a_gap_in_the_versions(history: History, versions: tuple[int, ...]) -> None:
    final = history.finals[1]
    events = [replace(event, version=version) for event, version in zip(final.events, versions, strict=False)]
    assert f"its events are {list(versions)}" in violations(history, replace(final, events=events))


def test_a_row_that_its_events_do_not_lead_to(history: History) -> None:
    assert "but its events lead to" in violations(history, replace(history.finals[1], state=SECOND))


def test_a_write_of_no_client(history: History) -> None:
    history.operations.remove(EDIT)
    assert "was written by no client" in violations(history)


def test_a_refused_write_that_was_made_nevertheless(history: History) -> None:
    history.operations.remove(EDIT)
    history.operations.append(replace(EDIT, outcome=Outcome.REFUSED, version=None))
    assert "refused, but found at [(1, 3)]" in violations(history)


def test_a_refusal_for_no_reason(history: History) -> None:
    refused = replace(EDIT, token="d", outcome=Outcome.REFUSED, version=None, began_at=24, ended_at=25)
    history.operations.append(refused)
    assert "refused for no reason" in violations(history)
    history.operations[-1] = replace(refused, target="open")
    assert violations(history) == ""
    history.operations[-1] = replace(refused, expected=2)
    assert violations(history) == ""


def test_an_unknown_write_may_exist_once_or_not_at_all(history: History) -> None:
    history.operations.remove(EDIT)
    history.operations.append(replace(EDIT, outcome=Outcome.UNKNOWN, version=None))
    history.operations.append(replace(EDIT, token="never", outcome=Outcome.UNKNOWN, version=None))
    assert violations(history) == ""
    final = history.finals[1]
    twice = replace(final, version=4, events=[*final.events, Event(4, "c")])
    assert "found 2 times" in violations(history, twice)


def test_a_write_that_replaced_a_version_it_did_not_expect(history: History) -> None:
    history.operations[history.operations.index(EDIT)] = replace(EDIT, expected=1)
    assert "did not expect" in violations(history)


def test_writes_out_of_order(history: History) -> None:
    history.operations[history.operations.index(EDIT)] = replace(EDIT, began_at=5, ended_at=6)
    assert "no newer version" in violations(history)


def test_a_response_that_must_not_occur(history: History) -> None:
    history.operations.append(replace(EDIT, token="d", outcome=Outcome.FAILED, version=None, how="500"))
    assert "failed: " in violations(history)
