"""Rules, in requests and in responses."""

from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from models import AssignBy, Priority, RuleEvent, TicketStatus
from models.ticket import MAX_TAGS
from schemas.custom_values import SetCustomValues
from schemas.fields import Name, Storable, text_schema
from schemas.matching import TicketMatch
from schemas.numbers import BodyId, whole_number
from schemas.request_body import MergePatch, RequestBody, without_default
from schemas.working_fields import PRINCIPAL_ID_MAX_LENGTH, Tag

MAX_POSITION: Final = 1_000_000
MAX_WORDS: Final = 20
WORD_MAX_LENGTH: Final = 100
NOTE_MAX_LENGTH: Final = 10_000
_TIME: Final = "2026-03-02T12:31:07.120345Z"

_NAME: Final = "The name. No two rules have the same one, whatever its case."
_POSITION: Final = "The place in the order in which rules apply; of one place, the order of the ids."
_ACTIVE: Final = "False if the rule does not apply."
_EVENTS: Final = (
    "When the rule applies: to new tickets (`ticket.created`), or to changes that a request makes of one ticket. A "
    "change may be of several types."
)
_MATCH: Final = "Which tickets the rule is for, as they are after the change. Without conditions: all."
_ACTIONS: Final = "What the rule does, at least one action, in the order set, add_tags, assign, note."

Word = Annotated[
    str,
    Field(min_length=1, max_length=WORD_MAX_LENGTH),
    Storable,
    text_schema(WORD_MAX_LENGTH, "printer"),
]
NoteText = Annotated[
    str,
    Field(min_length=1, max_length=NOTE_MAX_LENGTH),
    Storable,
    text_schema(NOTE_MAX_LENGTH, "Call the customer before you reply."),
]
_AssigneeId = Annotated[str, StringConstraints(min_length=1, max_length=PRINCIPAL_ID_MAX_LENGTH, pattern=r"^[^\x00]+$")]
_Position = Annotated[int, Field(ge=0, le=MAX_POSITION), BeforeValidator(whole_number)]
_Events = Annotated[list[RuleEvent], Field(min_length=1, max_length=len(RuleEvent))]
_Active = Annotated[bool, Field(strict=True)]


class _Part(BaseModel):
    """A part of a rule: unknown members are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RuleMatch(TicketMatch):
    """Conditions on a ticket. All members that are present must hold; of the values of a member, any one.

    Of `words`, all must occur.
    """

    status: list[TicketStatus] = Field(
        default=[], max_length=len(TicketStatus), description="The status is one of these.", examples=[["open"]]
    )
    words: list[Word] = Field(
        default=[],
        max_length=MAX_WORDS,
        description="Each of these occurs in the subject or the text, also within a longer word, whatever its case.",
        examples=[["printer", "fire"]],
    )


class RuleSet(_Part):
    """Values that a rule sets, whatever they were before. A rule removes no values: null or absent sets nothing."""

    priority: Priority | None = Field(default=None, description="The priority.", examples=["high"])
    group_id: BodyId | None = Field(default=None, description="The id of an active group.", examples=[None])
    assignee_id: _AssigneeId | None = Field(
        default=None, description="The id of an active agent or admin.", examples=[None]
    )
    custom: SetCustomValues = Field(default={}, description="Values of custom fields, by key.", examples=[{}])


class RuleAssign(_Part):
    """How a rule assigns a ticket that has no assignee: to a group, and to a member of it if it has active ones."""

    group_id: BodyId = Field(description="The id of an active group.", examples=[1])
    by: AssignBy = Field(
        description="`round_robin`: the member to whom a rule has assigned no ticket for the longest time. "
        "`least_loaded`: the member with the fewest tickets that are not closed, of which 100 are counted; of several "
        "members, as by `round_robin`.",
        examples=["round_robin"],
    )


class RuleActions(_Part):
    """What a rule does."""

    set_values: RuleSet | None = Field(default=None, alias="set", description="Values to set; null: none.")
    assign: RuleAssign | None = Field(
        default=None, description="How to assign a ticket that has no assignee; null: not at all."
    )
    add_tags: list[Tag] = Field(
        default=[],
        max_length=MAX_TAGS,
        description="Tags to add. A ticket has at most 50: further ones are not added.",
        examples=[["triage"]],
    )
    note: NoteText | None = Field(
        default=None,
        description="The text of an internal note, which makes a version of its own after the change; null: none. A "
        "ticket that the change closes gets none.",
        examples=["Call the customer before you reply."],
    )

    @model_validator(mode="after")
    def _require_an_action(self) -> Self:
        sets = self.set_values is not None and any(dict(self.set_values).values())
        if not (sets or self.assign or self.add_tags or self.note):
            raise PydanticCustomError("no_action", "must have at least one action")
        return self


_NO_ACTIONS: Final = RuleActions.model_construct()


class RuleCreate(RequestBody):
    """A new rule."""

    name: Annotated[Name, Field(description=_NAME)]
    position: _Position | None = Field(
        default=None, description=f"{_POSITION} Null or absent: after all others.", examples=[10]
    )
    active: _Active = Field(default=True, description=_ACTIVE)
    events: _Events = Field(description=_EVENTS, examples=[["ticket.created"]])
    match: RuleMatch = Field(default=RuleMatch(), description=_MATCH, json_schema_extra=without_default)
    actions: RuleActions = Field(description=_ACTIONS)


class RulePatch(MergePatch):
    """A JSON merge patch (RFC 7396): the fields that are present replace the stored values.

    At least one is required. `match` and `actions` are replaced as a whole.
    """

    name: Annotated[Name, Field(description=_NAME)] = Field(default="", json_schema_extra=without_default)
    position: _Position = Field(default=0, json_schema_extra=without_default, description=_POSITION, examples=[10])
    active: _Active = Field(default=True, json_schema_extra=without_default, description=_ACTIVE)
    events: _Events = Field(
        default=[], json_schema_extra=without_default, description=_EVENTS, examples=[["ticket.created"]]
    )
    match: RuleMatch = Field(default=RuleMatch(), json_schema_extra=without_default, description=_MATCH)
    actions: RuleActions = Field(default=_NO_ACTIONS, json_schema_extra=without_default, description=_ACTIONS)


class Rule(BaseModel):
    """A rule: what the service does by itself to new and changed tickets."""

    id: int = Field(description="The id of the rule, which events name in `applied_rules`.", examples=[1])
    name: str = Field(description="The name.", examples=["Important customers"])
    position: int = Field(description=_POSITION, examples=[1])
    active: bool = Field(description=_ACTIVE, examples=[True])
    events: list[RuleEvent] = Field(description=_EVENTS, examples=[["ticket.created"]])
    match: RuleMatch = Field(description=_MATCH)
    actions: RuleActions = Field(description=_ACTIONS)
    version: int = Field(
        description="Starts at 1. Each change of the rule adds 1. Also sent as the `ETag`.", examples=[1]
    )
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=[_TIME])
    updated_at: datetime = Field(description="The time of the last change, in UTC.", examples=[_TIME])


class RuleList(BaseModel):
    """All rules."""

    items: list[Rule] = Field(description="The rules, in the order in which they apply.")
