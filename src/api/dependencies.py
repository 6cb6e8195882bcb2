"""The dependencies of the routes: services, the principal, and the parameters that several routes share."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from pydantic import BeforeValidator, Field

from api.http.event_response import FeedReaders
from api.middleware.authentication import PRINCIPAL_KEY
from models.principal import ID_MAX_LENGTH
from schemas.fields import ID_MAX, plain_number
from schemas.lists import CommentPaging, Paging, TicketQuery
from schemas.people import PeopleQuery
from services.access.key_service import KeyService
from services.access.principal import Principal
from services.automation.reminders import Reminders
from services.automation.rule_dry_runs import RuleDryRuns
from services.automation.rule_service import RuleService
from services.bulk.bulk_changes import BulkChanges
from services.canned.replies import CannedReplies
from services.directory.groups import Groups
from services.directory.hand_over import HandOvers
from services.directory.people import People
from services.directory.principals import Principals
from services.events.feed import EventFeed
from services.fields.service import FieldService
from services.links.follow_ups import FollowUps
from services.links.links import TicketLinks
from services.links.merges import Merges
from services.numbers.happened import NumbersOfThePast
from services.numbers.now import NumbersOfNow
from services.operation.health import HealthService
from services.sla.calendars import CalendarService
from services.sla.policies import SlaPolicies
from services.sla.recompute import Recomputation
from services.tickets.assignment import Assignment
from services.tickets.counts import TicketCounter
from services.tickets.lists import TicketLists
from services.tickets.participants import TicketParticipants
from services.tickets.service import TicketService
from services.tickets.tag_list import TagList
from services.tickets.tags import TicketTags
from services.views.views import Views
from services.webhooks.deliveries import WebhookDeliveries
from services.webhooks.endpoints import WebhookService
from services.webhooks.replays import WebhookReplays


def _provided(name: str) -> Callable[[Request], Awaitable[Any]]:
    """Return the dependency on what `main` has built under this name in the state of the application."""

    async def provide(request: Request) -> Any:  # noqa: ANN401 - the annotation of each dependency names its type
        return getattr(request.app.state, name)

    return provide


async def _caller(request: Request) -> Principal:
    principal: Principal = request.scope[PRINCIPAL_KEY]
    return principal


def _id(description: str, example: str) -> Any:  # noqa: ANN401 - FastAPI's own type
    return Path(description=description, examples=[example], max_length=ID_MAX_LENGTH, pattern=r"^[^\x00]+$")


Tickets = Annotated[TicketService, Depends(_provided("tickets"))]
Lists = Annotated[TicketLists, Depends(_provided("lists"))]
Assignments = Annotated[Assignment, Depends(_provided("assignment"))]
Tags = Annotated[TicketTags, Depends(_provided("ticket_tags"))]
Participants = Annotated[TicketParticipants, Depends(_provided("participants"))]
Links = Annotated[TicketLinks, Depends(_provided("links"))]
MergesOf = Annotated[Merges, Depends(_provided("merges"))]
FollowUpsOf = Annotated[FollowUps, Depends(_provided("follow_ups"))]
Health = Annotated[HealthService, Depends(_provided("health"))]
AllHandOvers = Annotated[HandOvers, Depends(_provided("hand_overs"))]
AllFields = Annotated[FieldService, Depends(_provided("fields"))]
Counter = Annotated[TicketCounter, Depends(_provided("counter"))]
AllTags = Annotated[TagList, Depends(_provided("tag_list"))]
AllPeople = Annotated[People, Depends(_provided("people"))]
AllGroups = Annotated[Groups, Depends(_provided("groups"))]
AllPrincipals = Annotated[Principals, Depends(_provided("principals"))]
AllKeys = Annotated[KeyService, Depends(_provided("keys"))]
AllWebhooks = Annotated[WebhookService, Depends(_provided("webhooks"))]
AllDeliveries = Annotated[WebhookDeliveries, Depends(_provided("webhook_deliveries"))]
AllReplays = Annotated[WebhookReplays, Depends(_provided("webhook_replays"))]
AllPolicies = Annotated[SlaPolicies, Depends(_provided("policies"))]
PolicyRecomputation = Annotated[Recomputation, Depends(_provided("recomputation"))]
Feed = Annotated[EventFeed, Depends(_provided("feed"))]
EventReaders = Annotated[FeedReaders, Depends(_provided("feed_readers"))]
AllCalendars = Annotated[CalendarService, Depends(_provided("calendars"))]
AllReminders = Annotated[Reminders, Depends(_provided("reminders"))]
AllRules = Annotated[RuleService, Depends(_provided("rules"))]
DryRuns = Annotated[RuleDryRuns, Depends(_provided("rule_dry_runs"))]
Now = Annotated[NumbersOfNow, Depends(_provided("numbers_of_now"))]
Past = Annotated[NumbersOfThePast, Depends(_provided("numbers_of_the_past"))]
AllBulkChanges = Annotated[BulkChanges, Depends(_provided("bulk_changes"))]
AllViews = Annotated[Views, Depends(_provided("views"))]
AllCannedReplies = Annotated[CannedReplies, Depends(_provided("canned_replies"))]
Caller = Annotated[Principal, Depends(_caller)]
# The bounds precede the validator, so that they are part of the documented schema.
TicketId = Annotated[
    int,
    Field(ge=1, le=ID_MAX),
    BeforeValidator(plain_number),
    Path(description="The id of the ticket.", examples=[1]),
]
PersonId = Annotated[str, _id("The id of the person.", "person:1")]
PrincipalId = Annotated[str, _id("The id of the principal, as `actor` of an event has it.", "key:crm")]
MemberId = Annotated[str, _id("The id of the principal.", "person:1")]
KeyId = Annotated[str, _id("The id of the key: the part of the key between `tk_` and the next underscore.", "4fPq0Zt9")]
GroupId = Annotated[
    int,
    Field(ge=1, le=ID_MAX),
    BeforeValidator(plain_number),
    Path(description="The id of the group.", examples=[1]),
]
PolicyId = Annotated[
    int,
    Field(ge=1, le=ID_MAX),
    BeforeValidator(plain_number),
    Path(description="The id of the policy.", examples=[1]),
]
Page = Annotated[Paging, Query()]
CommentsPage = Annotated[CommentPaging, Query()]
ListQuery = Annotated[TicketQuery, Query()]
PeopleFilter = Annotated[PeopleQuery, Query()]
