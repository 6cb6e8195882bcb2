"""The evaluation of rules, without a service."""

import unicodedata
from typing import Any

import pytest

from models import EventKind, RuleEvent, TicketStatus
from schemas.rules import RuleMatch
from services.automation.rule_actions import EVENT_OF
from services.automation.rules import Actions, ActiveRule, TicketState, comparable, is_match, matching, outcome_of
from services.events.catalogue import kind_of
from services.tickets.edited_ticket import EDITABLE

TICKET: dict[str, Any] = {
    "subject": "The printer is on FIRE",
    "text": "Straße 7, Büro İzmir",
    "email": "alice@example.com",
    "status": TicketStatus.OPEN,
    "priority": "normal",
    "group_id": 3,
    "assignee_id": None,
    "tags": ["vip"],
}


def a_state(custom: dict[str, Any] | None = None, **fields: Any) -> TicketState:
    return TicketState((TICKET | fields).__getitem__, lambda: custom or {})


def a_rule(rule_id: int = 1, actions: Actions = Actions(), **match: Any) -> ActiveRule:  # noqa: B008 - it is frozen
    conditions = RuleMatch(**match)
    words = [comparable(word) for word in conditions.words]
    return ActiveRule(rule_id, frozenset({RuleEvent.CREATED}), conditions, words, actions)


@pytest.mark.parametrize(
    "word",
    ["fire", "Fire", "print", "STRASSE", "strasse", unicodedata.normalize("NFD", "büro"), "BÜRO", "i̇zmir", "7, b"],
)
def test_a_word_occurs_whatever_its_case_and_its_composition(word: str) -> None:
    assert is_match(a_rule(words=[word]), a_state())


@pytest.mark.parametrize("words", [["ice"], ["fire", "ice"], ["fire straße"]])
def test_each_word_must_occur_in_the_subject_or_in_the_text(words: list[str]) -> None:
    assert not is_match(a_rule(words=words), a_state())


@pytest.mark.parametrize(
    ("match", "is_matched"),
    [
        ({}, True),
        ({"priority": ["high", "normal"]}, True),
        ({"priority": ["high"]}, False),
        ({"group_id": [3, 4]}, True),
        ({"group_id": [4]}, False),
        ({"tag": ["x", "vip"]}, True),
        ({"tag": ["x"]}, False),
        ({"domain": ["example.com"]}, True),
        ({"domain": ["mail.example.com"]}, False),
        ({"status": ["open", "closed"]}, True),
        ({"status": ["closed"]}, False),
        ({"custom": {"floor": ["3"]}}, True),
        ({"custom": {"floor": ["4"]}}, False),
        ({"custom": {"floor": ["3"], "device": ["printer"]}}, False),
        ({"priority": ["normal"], "words": ["ice"]}, False),
    ],
)
def test_all_conditions_must_hold(match: dict[str, Any], is_matched: bool) -> None:
    assert is_match(a_rule(**match), a_state({"floor": 3})) is is_matched


def test_rules_are_for_types_of_events_that_readers_get() -> None:
    assert set(RuleEvent) <= set(EventKind)


@pytest.mark.parametrize("field", sorted(EDITABLE | {"status", "custom"}))
def test_the_change_of_a_field_is_of_the_type_that_its_event_has(field: str) -> None:
    assert str(EVENT_OF[field]) == str(kind_of("changed", {field}))


def test_a_rule_is_for_its_events() -> None:
    rule = a_rule()
    assert matching([rule], {RuleEvent.CREATED}, a_state()) == [rule]
    assert matching([rule], {RuleEvent.CHANGED, RuleEvent.TAGGED}, a_state()) == []


def test_rules_apply_one_after_the_other() -> None:
    rules = [
        a_rule(1, Actions({"priority": "high"}, {"floor": 1}, ["a"], None, "One")),
        a_rule(2, Actions({"priority": "low"}, {"floor": 2}, ["b", "vip"], None, "Two")),
        a_rule(3, Actions({"priority": "low"}, {"floor": 2}, ["a"])),
    ]
    outcome = outcome_of(rules, a_state({"floor": 0}))
    assert (outcome.values, outcome.custom) == ({"priority": "low", "tags": ["a", "b", "vip"]}, {"floor": 2})
    assert [(note.rule_id, note.text) for note in outcome.steps.notes] == [(1, "One"), (2, "Two")]
    assert outcome.applied == [1, 2]


def test_a_ticket_that_has_too_many_tags_already_gets_none() -> None:
    tags = [f"t{number}" for number in range(60)]
    assert outcome_of([a_rule(1, Actions(tags=["x"]))], a_state(tags=tags)).values == {}
