"""The details of an event: what changed, and which other tickets the change concerns."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from models import ClockKind, Priority, TicketStatus
from schemas.custom_values import CustomValue
from schemas.tickets import TicketLink


class TextChange(BaseModel):
    """A text before and after a change."""

    before: str | None = Field(
        alias="from",
        description="The previous value. Null if there was none, and after an erasure of personal data.",
        examples=["The printer is on fire"],
    )
    after: str | None = Field(
        alias="to", description="The new value; null if there is none.", examples=["The printer is out"]
    )


class StatusChange(BaseModel):
    """A status before and after a transition."""

    before: TicketStatus = Field(alias="from", description="The previous status.", examples=["open"])
    after: TicketStatus = Field(alias="to", description="The new status.", examples=["answered"])


class PriorityChange(BaseModel):
    """A priority before and after a change."""

    before: Priority | None = Field(
        alias="from", description="The previous priority; null in the event of a new ticket.", examples=["normal"]
    )
    after: Priority = Field(alias="to", description="The new priority.", examples=["urgent"])


class IdChange(BaseModel):
    """The id of a group or of a ticket before and after a change."""

    before: int | None = Field(alias="from", description="The previous id; null if there was none.", examples=[3])
    after: int | None = Field(alias="to", description="The new id; null if there is none.", examples=[4])


class ListChange(BaseModel):
    """A list of texts before and after a change."""

    before: list[str] | None = Field(
        alias="from", description="The previous list; null in the event of a new ticket.", examples=[["printer"]]
    )
    after: list[str] = Field(alias="to", description="The new list.", examples=[["printer", "vip"]])


class CustomChange(BaseModel):
    """The value of a custom field before and after a change."""

    before: CustomValue | None = Field(
        alias="from", description="The previous value; null if there was none.", examples=["scanner"]
    )
    after: CustomValue | None = Field(
        alias="to", description="The new value; null if there is none.", examples=["printer"]
    )


class TimeChange(BaseModel):
    """A time before and after a change."""

    before: datetime | None = Field(alias="from", description="The previous time; null if none.", examples=[None])
    after: datetime | None = Field(
        alias="to", description="The new time; null if there is none.", examples=["2026-03-09T12:33:41.904112Z"]
    )


class SlaTerms(BaseModel):
    """What a policy promises, copied when the ticket came under it."""

    policy_id: int = Field(description="The id of the policy.", examples=[1])
    calendar_id: int = Field(description="The id of the calendar whose working time counts.", examples=[1])
    first_response_s: int | None = Field(
        description="The seconds until the first response; null: no such promise.", examples=[3600]
    )
    next_response_s: int | None = Field(
        description="The seconds until the response to a further question; null: no such promise.", examples=[None]
    )
    resolution_s: int | None = Field(
        description="The seconds until the close, without those in `answered`; null: no such promise.", examples=[28800]
    )


class SlaTermsChange(BaseModel):
    """The terms of service levels before and after a change."""

    before: SlaTerms | None = Field(alias="from", description="The previous terms; null if there were none.")
    after: SlaTerms | None = Field(alias="to", description="The new terms; null if there are none.")


class DueClock(BaseModel):
    """A clock that is at risk or breached."""

    kind: ClockKind = Field(description="What the clock measures.", examples=["first_response"])
    policy_id: int = Field(description="The id of the policy.", examples=[1])
    budget_s: int = Field(description="The budget, in seconds of working time.", examples=[3600])
    due_at: datetime | None = Field(
        description="The time at which the budget is spent; null if the calendar does not have so much time in the "
        "next ten years.",
        examples=["2026-03-02T13:31:07.120345Z"],
    )


class DueReminder(BaseModel):
    """A reminder that is due."""

    principal_id: str = Field(description="The id of the principal who set it.", examples=["person:17"])
    note: str = Field(description="The note of the reminder.", examples=["Ask the supplier again"])


def _nothing_required(schema: JsonDict) -> None:
    schema.pop("required", None)


class EventData(BaseModel):
    """The details of an event: each changed field with its previous and its new value, and the ids that it concerns.

    Only the members that apply are present. Later event types add members, so clients ignore unknown ones. Requesters
    do not get the members that concern agents only: assignee, group, tags, links, internal notes.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra=_nothing_required)

    subject: TextChange = Field(description="Present if the subject was changed.")
    text: TextChange = Field(description="Present if the text was changed.")
    status: StatusChange = Field(description="Present if the status was changed.")
    priority: PriorityChange = Field(description="Present if the priority was changed.")
    assignee_id: TextChange = Field(description="Present if the assignee was changed: the ids of principals.")
    group_id: IdChange = Field(description="Present if the group was changed.")
    tags: ListChange = Field(description="Present if the tags were changed.")
    participants: ListChange = Field(description="Present if the participants were changed: email addresses.")
    custom: dict[str, CustomChange] = Field(
        description="Present if custom fields were changed: by the key of the field.",
        examples=[{"device": {"from": "scanner", "to": "printer"}}],
    )
    comment_id: int = Field(description="Present if a comment was added: its id.", examples=[1])
    follow_up_id: int = Field(description="Present if a follow-up was opened: its id.", examples=[7])
    merged_into: IdChange = Field(description="Present if the ticket was merged, or if that was undone.")
    merged_from: int = Field(description="Present if another ticket was merged into this one: its id.", examples=[5])
    unmerged_from: int = Field(
        description="Present if a merge into this ticket was undone: the id of the other one.", examples=[5]
    )
    link_added: TicketLink = Field(description="Present if the ticket was linked to another one.")
    link_removed: TicketLink = Field(description="Present if a link to another ticket was removed.")
    auto_close_at: TimeChange = Field(description="Present if the time of the automatic close was changed.")
    closes_at: datetime = Field(
        description="Present in the warning of the automatic close: its time.",
        examples=["2026-03-09T12:33:41.904112Z"],
    )
    sla_terms: SlaTermsChange = Field(description="Present if the ticket came under another policy.")
    sla_clock: DueClock = Field(description="Present in the warnings and breaches of service levels.")
    reminder: DueReminder = Field(description="Present if a reminder is due.")
    repaired: list[str] = Field(
        description="Present if clocks or timers contradicted the history of the ticket and were corrected: the names "
        "of the columns.",
        examples=[["sla", "due_at"]],
    )
    applied_rules: list[int] = Field(
        description="Present if rules took part in the change: their ids, in the order in which they applied.",
        examples=[[1, 4]],
    )


class WebhookDisabledData(BaseModel):
    """The details of the event of a webhook that was switched off."""

    webhook_id: int = Field(description="The id of the webhook.", examples=[3])
    reason: Literal["gone", "failing"] = Field(
        description="`gone`: the receiver sent 410. `failing`: all attempts have failed for five days.",
        examples=["failing"],
    )
