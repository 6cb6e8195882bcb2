"""Dry runs of rules, in requests and in responses."""

from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, Field

from schemas.documented import is_absent
from schemas.event_data import CustomChange, IdChange, ListChange, PriorityChange, TextChange
from schemas.numbers import whole_number
from schemas.request_body import RequestBody
from schemas.rules import RuleAssign, RuleCreate

MAX_EXAMINED: Final = 1_000
MAX_SHOWN: Final = 50

_Tickets = Annotated[int, Field(ge=1, le=MAX_EXAMINED), BeforeValidator(whole_number)]


class RuleDryRun(RequestBody):
    """A rule that is tried on tickets without changing them."""

    rule: RuleCreate = Field(description="The rule, which is not created. Its name and its position have no effect.")
    tickets: _Tickets = Field(
        default=200, description="How many tickets are examined: those that were created last.", examples=[200]
    )


class DryRunChanges(BaseModel):
    """What the rule would change in a ticket. Only the members that apply are present."""

    priority: PriorityChange | None = Field(default=None, exclude_if=is_absent, description="The priority.")
    group_id: IdChange | None = Field(default=None, exclude_if=is_absent, description="The group.")
    assignee_id: TextChange | None = Field(
        default=None, exclude_if=is_absent, description="The assignee, if the rule sets it."
    )
    tags: ListChange | None = Field(default=None, exclude_if=is_absent, description="The tags.")
    custom: dict[str, CustomChange] | None = Field(
        default=None,
        exclude_if=is_absent,
        description="The custom fields, by key.",
        examples=[{"device": {"from": "scanner", "to": "printer"}}],
    )
    assign: RuleAssign | None = Field(
        default=None, exclude_if=is_absent, description="How the assignee would be chosen."
    )
    note: str | None = Field(
        default=None,
        exclude_if=is_absent,
        description="The internal note that would be added.",
        examples=["Call the customer before you reply."],
    )


class DryRunTicket(BaseModel):
    """A ticket that the rule would change."""

    ticket_id: int = Field(description="The id of the ticket.", examples=[42])
    changes: DryRunChanges = Field(description="What the rule would change.")


class RuleDryRunResult(BaseModel):
    """What a rule would do."""

    examined: int = Field(description="How many tickets were examined.", examples=[200])
    matched: int = Field(description="How many of them the rule matches.", examples=[1])
    items: list[DryRunTicket] = Field(description="The tickets that it would change, the latest first, at most 50.")
