"""The request bodies of the routes, with their examples."""

from collections.abc import Mapping
from typing import Annotated, Final, get_args

from fastapi import Body
from pydantic import BaseModel

from api.openapi import JSON
from api.openapi.calendar_examples import CALENDAR_PATCH, NEW_CALENDAR
from api.openapi.desk_examples import BULK, CANNED_REPLY_PATCH, NEW_CANNED_REPLY, NEW_VIEW, VIEW_PATCH
from api.openapi.directory_examples import (
    FIELD_PATCH,
    GROUP_PATCH,
    HAND_OVER,
    NEW_FIELD,
    NEW_GROUP,
    NEW_KEY,
    NEW_PERSON,
    PERSON_PATCH,
)
from api.openapi.examples import MERGE, NEW_COMMENT, NEW_TICKET, REMINDER, RENAME_TAG, TICKET_PATCH
from api.openapi.rule_examples import DRY_RUN, NEW_RULE, RULE_PATCH
from api.openapi.sla_examples import NEW_POLICY, POLICY_PATCH, RECOMPUTE
from api.openapi.webhook_examples import NEW_REPLAY, NEW_WEBHOOK, WEBHOOK_PATCH
from schemas.bulk import BulkTarget
from schemas.calendars import CalendarCreate, CalendarPatch
from schemas.canned_replies import CannedReplyCreate, CannedReplyPatch
from schemas.custom_fields import CustomFieldCreate, CustomFieldPatch
from schemas.groups import GroupCreate, GroupPatch
from schemas.hand_over import HandOver
from schemas.keys import ApiKeyCreate
from schemas.people import PersonCreate, PersonPatch
from schemas.reminders import ReminderPut
from schemas.rule_dry_runs import RuleDryRun
from schemas.rules import RuleCreate, RulePatch
from schemas.sla_policies import Recompute, SlaPolicyCreate, SlaPolicyPatch
from schemas.tags import TagRename
from schemas.tickets import CommentCreate, TicketCreate, TicketMerge, TicketPatch
from schemas.views import ViewCreate, ViewPatch
from schemas.webhook_deliveries import ReplayCreate
from schemas.webhooks import WebhookCreate, WebhookPatch

NewTicket = Annotated[TicketCreate, Body(openapi_examples=NEW_TICKET)]
NewComment = Annotated[CommentCreate, Body(openapi_examples=NEW_COMMENT)]
TagNames = Annotated[TagRename, Body(openapi_examples=RENAME_TAG)]
MergeTarget = Annotated[TicketMerge, Body(openapi_examples=MERGE)]
Patch = Annotated[TicketPatch, Body(openapi_examples=TICKET_PATCH)]
ReminderToSet = Annotated[ReminderPut, Body(openapi_examples=REMINDER)]
NewAssignee = Annotated[HandOver, Body(openapi_examples=HAND_OVER)]
NewPerson = Annotated[PersonCreate, Body(openapi_examples=NEW_PERSON)]
PersonChange = Annotated[PersonPatch, Body(openapi_examples=PERSON_PATCH)]
NewField = Annotated[CustomFieldCreate, Body(openapi_examples=NEW_FIELD)]
FieldChange = Annotated[CustomFieldPatch, Body(openapi_examples=FIELD_PATCH)]
NewCalendar = Annotated[CalendarCreate, Body(openapi_examples=NEW_CALENDAR)]
CalendarChange = Annotated[CalendarPatch, Body(openapi_examples=CALENDAR_PATCH)]
NewGroup = Annotated[GroupCreate, Body(openapi_examples=NEW_GROUP)]
GroupChange = Annotated[GroupPatch, Body(openapi_examples=GROUP_PATCH)]
NewKey = Annotated[ApiKeyCreate, Body(openapi_examples=NEW_KEY)]
NewWebhook = Annotated[WebhookCreate, Body(openapi_examples=NEW_WEBHOOK)]
WebhookChange = Annotated[WebhookPatch, Body(openapi_examples=WEBHOOK_PATCH)]
NewPolicy = Annotated[SlaPolicyCreate, Body(openapi_examples=NEW_POLICY)]
PolicyChange = Annotated[SlaPolicyPatch, Body(openapi_examples=POLICY_PATCH)]
RecomputeRequest = Annotated[Recompute, Body(openapi_examples=RECOMPUTE)]
NewReplay = Annotated[ReplayCreate, Body(openapi_examples=NEW_REPLAY)]
NewRule = Annotated[RuleCreate, Body(openapi_examples=NEW_RULE)]
RuleChange = Annotated[RulePatch, Body(openapi_examples=RULE_PATCH)]
RuleTrial = Annotated[RuleDryRun, Body(openapi_examples=DRY_RUN)]
BulkBody = Annotated[BulkTarget, Body(openapi_examples=BULK)]
NewView = Annotated[ViewCreate, Body(openapi_examples=NEW_VIEW)]
ViewChange = Annotated[ViewPatch, Body(openapi_examples=VIEW_PATCH)]
NewCannedReply = Annotated[CannedReplyCreate, Body(openapi_examples=NEW_CANNED_REPLY)]
CannedReplyChange = Annotated[CannedReplyPatch, Body(openapi_examples=CANNED_REPLY_PATCH)]

_BODIES: Final = (
    *(NewTicket, NewComment, TagNames, MergeTarget, Patch, NewAssignee, NewPerson, PersonChange),
    *(NewField, FieldChange, NewGroup, GroupChange, NewKey, NewWebhook, WebhookChange, NewReplay, ReminderToSet),
    *(NewPolicy, PolicyChange, RecomputeRequest),
    *(NewCalendar, CalendarChange),
    *(NewRule, RuleChange, RuleTrial),
    *(BulkBody, NewView, ViewChange, NewCannedReply, CannedReplyChange),
)
EXAMPLES: Final[Mapping[str, JSON]] = {model.__name__: body.openapi_examples for model, body in map(get_args, _BODIES)}
"""The examples of each body, by the name of its model."""


def _merge_patch(model: type[BaseModel], examples: JSON) -> JSON:
    """Document the other media type: FastAPI accepts every one that ends in +json, but documents application/json."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"content": {"application/merge-patch+json": {"schema": schema, "examples": examples}}}}


TAKES_MERGE_PATCH: Final = _merge_patch(TicketPatch, TICKET_PATCH)
PATCHES_PERSON: Final = _merge_patch(PersonPatch, PERSON_PATCH)
PATCHES_FIELD: Final = _merge_patch(CustomFieldPatch, FIELD_PATCH)
PATCHES_CALENDAR: Final = _merge_patch(CalendarPatch, CALENDAR_PATCH)
PATCHES_GROUP: Final = _merge_patch(GroupPatch, GROUP_PATCH)
PATCHES_WEBHOOK: Final = _merge_patch(WebhookPatch, WEBHOOK_PATCH)
PATCHES_POLICY: Final = _merge_patch(SlaPolicyPatch, POLICY_PATCH)
PATCHES_RULE: Final = _merge_patch(RulePatch, RULE_PATCH)
PATCHES_VIEW: Final = _merge_patch(ViewPatch, VIEW_PATCH)
PATCHES_CANNED_REPLY: Final = _merge_patch(CannedReplyPatch, CANNED_REPLY_PATCH)
