"""What rules add to a change that takes further statements of its transaction: an assignee, and internal notes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.rules import RuleAssign


@dataclass(frozen=True, slots=True)
class RuleNote:
    """An internal note of a rule."""

    rule_id: int
    text: str


@dataclass(frozen=True, slots=True)
class RuleSteps:
    """How the ticket gets its assignee, and the notes, each of which makes a version of its own after the change."""

    assign: RuleAssign | None = None
    notes: Sequence[RuleNote] = ()

    @property
    def need_transaction(self) -> bool:
        """Whether the change takes more than one statement."""
        return self.assign is not None or bool(self.notes)


NO_STEPS: Final = RuleSteps()
