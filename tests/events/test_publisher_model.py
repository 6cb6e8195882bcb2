"""The publisher keeps its promises in every order of the steps, and each part of it is needed."""

from operator import attrgetter

import pytest

from .publisher_cases import BROKEN, HOLDING, main
from .publisher_model import Case, Protocol, check

named = attrgetter("name")

# The last steps of the shortest sequence that breaks a promise, and the promise.
LAST_STEPS = {
    "the highest id": ["writer 1 commits", "publisher 1 commits", "an event is never published"],
    "the oldest transaction, by transaction id": ["publisher 1 commits", "the versions of a ticket descend"],
    "state read before the lock": [
        "publisher 2 reads the state",
        "publisher 1 commits",
        "publisher 2 takes the lock",
        "publisher 2 logs 1 events",
        "publisher 2 commits",
        "an event is published twice",
    ],
    "no lock": ["publisher 2 logs 1 events", "publisher 2 commits", "an event is published twice"],
    "transactions under way forgotten": ["writer 1 commits", "publisher 1 commits", "an event is never published"],
    "another snapshot noted": [
        "publisher 1 notes another snapshot",
        "publisher 1 commits",
        "an event is never published",
    ],
    "sorted by transaction id": ["publisher 1 commits", "the versions of a ticket descend"],
    "state committed after the positions": [
        "publisher 1 commits the positions, and is killed",
        "publisher 1 takes the lock",
        "publisher 1 reads the state",
        "publisher 1 logs 1 events",
        "publisher 1 commits",
        "an event is published twice",
    ],
}


@pytest.mark.parametrize("case", HOLDING, ids=named)
def test_the_log_is_complete_and_ordered_in_every_order_of_the_steps(case: Case) -> None:
    assert case.protocol == Protocol()
    states, path = check(case)
    assert not path, "\n".join(path)
    assert states > 5_000  # guards against a check that explores only a few orders by mistake


@pytest.mark.parametrize("case", BROKEN, ids=named)
def test_without_one_part_the_log_breaks_a_promise(case: Case) -> None:
    expected = LAST_STEPS[case.name]
    assert check(case)[1][-len(expected) :] == expected


@pytest.mark.parametrize("case", BROKEN, ids=named)
def test_the_whole_protocol_survives_what_breaks_the_others(case: Case) -> None:
    assert check(case._replace(protocol=Protocol()))[1] == []


def test_the_table_shows_every_case(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{main.__module__}.HOLDING", HOLDING[-1:])
    main()
    printed = capsys.readouterr().out
    assert all(f"  {case.name} " in printed for case in (HOLDING[-1], *BROKEN))
    assert printed.count("FAILS") == len(BROKEN)
