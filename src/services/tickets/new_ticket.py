"""A ticket that is to be created: its values, and the statement that inserts it with its first event."""

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Self

from pydantic_core import to_json

from db.postgres.statements import Statement
from schemas.tickets import INTERNAL_MEMBERS, TicketCreate
from services.tickets.rule_steps import NO_STEPS, RuleSteps
from services.tickets.save_statement import create_statement, field_parameter

# Nearly every new ticket has these fields only. Its event needs no members: the fields of the ticket show them.
_CORE: Final = frozenset({"subject", "text", "email"})
_WITHOUT_EVENT: Final = _CORE | {"source", "external_id", "follow_up_of"}
APPLIED_RULES: Final = "applied_rules"
"""The member of an event, for agents, that has the ids of the rules that took part."""


@dataclass(frozen=True, slots=True)
class Automatic:
    """What `services.automation` computed for a new ticket: its time, columns, and members of its event for agents."""

    created_at: datetime
    columns: Mapping[str, Any]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewTicket:
    """What a client sent, checked by `services.tickets.working_fields`, and what is decided about it.

    `custom` holds the canonical values of the custom fields, `visible` the keys of those that requesters see.
    """

    sent: TicketCreate
    custom: Mapping[str, Any]
    visible: Set[str] = frozenset()
    follow_up_of: int | None = None
    participants: Sequence[str] = ()
    automatic: Automatic | None = None
    steps: RuleSteps = NO_STEPS
    applied_rules: Sequence[int] = ()

    def assigned_to(self, assignee_id: str | None) -> Self:
        """Return the ticket with an assignee; None leaves it without one."""
        return replace(self, sent=self.sent.model_copy(update={"assignee_id": assignee_id}))

    def saving(self, actor: str) -> tuple[Statement, dict[str, Any]]:
        """Return the statement that inserts the ticket, and its parameters."""
        values = self._values()
        shown = values.keys() - _WITHOUT_EVENT
        columns = dict(values)
        has_members = bool(shown or self.applied_rules)
        if self.automatic is not None:
            moment = self.automatic.created_at
            columns |= {**self.automatic.columns, "created_at": moment, "updated_at": moment}
            has_members |= bool(self.automatic.facts)
        parameters: dict[str, Any] = {field_parameter(name): value for name, value in columns.items()}
        parameters["actor"] = actor
        if has_members:
            public, internal = self._members({name: values[name] for name in sorted(shown)})
            if self.automatic is not None:
                internal |= self.automatic.facts
            if self.applied_rules:
                internal[APPLIED_RULES] = self.applied_rules
            parameters["changes"] = to_json(public).decode()
            parameters["internal"] = to_json(internal).decode() if internal else None
        return create_statement(frozenset(columns), has_members=has_members), parameters

    def _values(self) -> dict[str, Any]:
        sent = self.sent
        values = {name: getattr(sent, name) for name in sent.model_fields_set if name != "custom"}
        values = {name: value for name, value in values.items() if value is not None and value != ()}
        if "tags" in values:
            values["tags"] = list(values["tags"])
        if self.custom:
            values["custom"] = json.dumps(self.custom, ensure_ascii=False)
        if self.follow_up_of is not None:
            values["follow_up_of"] = self.follow_up_of
        if self.participants:
            values["participants"] = list(self.participants)
        return values

    def _members(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the initial values as the event shows them, to everyone and to agents only."""
        public: dict[str, Any] = {}
        internal: dict[str, Any] = {}
        for name, value in values.items():
            if name != "custom":
                (internal if name in INTERNAL_MEMBERS else public)[name] = {"from": None, "to": value}
        for key, value in self.custom.items():
            members = public if key in self.visible else internal
            members.setdefault("custom", {})[key] = {"from": None, "to": value}
        return public, internal
