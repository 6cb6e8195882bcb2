"""Rules: which of them a new or changed ticket matches, and what they do to it. Everything here is pure.

All rules are evaluated on the state of the ticket before any of them applies, so that no rule triggers another one.
Then they apply in their order, and later ones override earlier ones.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from models import RuleEvent, TicketStatus
from models.ticket import MAX_TAGS
from schemas.rules import RuleAssign, RuleMatch
from services.automation.matching import Field, matches
from services.tickets.rule_steps import RuleNote, RuleSteps


@dataclass(frozen=True, slots=True)
class Actions:
    """What a rule does: it sets values of columns and of custom fields, adds tags, assigns, and writes a note."""

    values: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    assign: RuleAssign | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ActiveRule:
    """A rule that applies: `words` are those of its conditions in the form in which they are compared."""

    id: int
    events: Set[RuleEvent]
    match: RuleMatch
    words: Sequence[str]
    actions: Actions


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The active rules in their order, and the keys of the custom fields that requesters see, if a rule sets any."""

    rules: Sequence[ActiveRule] = ()
    visible: Set[str] = frozenset()


NO_RULES: Final = RuleBook()
# A member of the group of an earlier `assign` may be no member of the group that is set later.
_OVERRIDE_ASSIGN: Final = frozenset({"group_id", "assignee_id"})


class TicketState:
    """A ticket as rules see it. `field` returns the value of a column, `custom` the values of the custom fields."""

    def __init__(self, field: Field, custom: Callable[[], Mapping[str, Any]]) -> None:
        self.field = field
        self._custom = custom

    @cached_property
    def custom(self) -> Mapping[str, Any]:
        """The values of the custom fields, by key."""
        return self._custom()

    @cached_property
    def words(self) -> str:
        """The subject and the text in the form in which words are compared."""
        return f"{comparable(self.field('subject'))}\0{comparable(self.field('text'))}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What rules do to a ticket: the new values of its columns and custom fields, and the steps after these.

    `applied` has the ids of the rules that took part.
    """

    values: Mapping[str, Any]
    custom: Mapping[str, Any]
    steps: RuleSteps
    applied: Sequence[int]


def comparable(text: str) -> str:
    """Return a text in the form in which words are compared: without regard to case, and to how marks are composed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def matching(rules: Sequence[ActiveRule], events: Set[RuleEvent], state: TicketState) -> list[ActiveRule]:
    """Return the rules for a change of these types that the state of the ticket matches."""
    return [rule for rule in rules if not rule.events.isdisjoint(events) and is_match(rule, state)]


def is_match(rule: ActiveRule, state: TicketState) -> bool:
    """Return whether a ticket matches the conditions of a rule, whatever the rule's events are."""
    match = rule.match
    if match.status and state.field("status") not in match.status:
        return False
    if not matches(match, state.field, state.custom if match.custom else {}):
        return False
    return not rule.words or all(word in state.words for word in rule.words)


def outcome_of(rules: Sequence[ActiveRule], state: TicketState) -> Outcome:
    """Return what rules do to a ticket, one after the other. A rule without effect is not in `applied`."""
    outcome = _Outcome(state)
    for rule in rules:
        outcome.apply(rule)
    return Outcome(outcome.values, outcome.custom, RuleSteps(outcome.assign, outcome.notes), outcome.applied)


class _Outcome:
    """Collects what rules do."""

    def __init__(self, state: TicketState) -> None:
        self._state = state
        self.values: dict[str, Any] = {}
        self.custom: dict[str, Any] = {}
        self.assign: RuleAssign | None = None
        self.notes: list[RuleNote] = []
        self.applied: list[int] = []

    def apply(self, rule: ActiveRule) -> None:
        actions = rule.actions
        effects = [self._set(name, value) for name, value in actions.values.items()]
        effects += [self._set_custom(key, value) for key, value in actions.custom.items()]
        effects += [self._add_tags(actions.tags), self._assign(actions.assign)]
        effects.append(self._note(rule.id, actions.note))
        if any(effects):
            self.applied.append(rule.id)

    def _value(self, name: str) -> Any:  # noqa: ANN401 - what the column holds
        return self.values[name] if name in self.values else self._state.field(name)

    def _set(self, name: str, value: object) -> bool:
        if self._value(name) == value:
            return False
        self.values[name] = value
        if name in _OVERRIDE_ASSIGN:
            self.assign = None
        return True

    def _set_custom(self, key: str, value: object) -> bool:
        if self.custom.get(key, self._state.custom.get(key)) == value:
            return False
        self.custom[key] = value
        return True

    def _add_tags(self, tags: Sequence[str]) -> bool:
        before = self._value("tags")
        added = [tag for tag in dict.fromkeys(tags) if tag not in before][: max(0, MAX_TAGS - len(before))]
        if added:
            self.values["tags"] = sorted([*before, *added])
        return bool(added)

    def _assign(self, assign: RuleAssign | None) -> bool:
        if assign is None or self._value("assignee_id") is not None:
            return False
        self.assign = assign
        self.values["group_id"] = assign.group_id
        return True

    def _note(self, rule_id: int, text: str | None) -> bool:
        if text is None or self._state.field("status") == TicketStatus.CLOSED:  # a closed ticket takes no comments
            return False
        self.notes.append(RuleNote(rule_id, text))
        return True
