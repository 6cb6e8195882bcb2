"""The dependencies of the routes: services, the principal, and the parameters that several routes share."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from pydantic import BeforeValidator, Field

from api.middleware.authentication import PRINCIPAL_KEY
from models.principal import ID_MAX_LENGTH
from schemas.fields import ID_MAX, plain_number
from schemas.lists import CommentPaging, Paging, TicketQuery
from schemas.people import PeopleQuery
from services.access.key_service import KeyService
from services.access.principal import Principal
from services.automation.rule_dry_runs import RuleDryRuns
from services.automation.rule_service import RuleService
from services.directory.groups import Groups
from services.directory.hand_over import HandOvers
from services.directory.people import People
from services.directory.principals import Principals
from services.events.feed import EventFeed
from services.events.stream import EventStreams
from services.fields.service import FieldService
from services.links.follow_ups import FollowUps
from services.links.links import TicketLinks
from services.links.merges import Merges
from services.operation.health import HealthService
from services.tickets.assignment import Assignment
from services.tickets.counts import TicketCounter
from services.tickets.lists import TicketLists
from services.tickets.participants import TicketParticipants
from services.tickets.service import TicketService
from services.tickets.tag_list import TagList
from services.tickets.tags import TicketTags
from services.webhooks.deliveries import WebhookDeliveries
from services.webhooks.endpoints import WebhookService
from services.webhooks.replays import WebhookReplays


async def _tickets(request: Request) -> TicketService:
    service: TicketService = request.app.state.tickets
    return service


async def _lists(request: Request) -> TicketLists:
    lists: TicketLists = request.app.state.lists
    return lists


async def _assignments(request: Request) -> Assignment:
    assignment: Assignment = request.app.state.assignment
    return assignment


async def _tags(request: Request) -> TicketTags:
    tags: TicketTags = request.app.state.ticket_tags
    return tags


async def _participants(request: Request) -> TicketParticipants:
    participants: TicketParticipants = request.app.state.participants
    return participants


async def _links(request: Request) -> TicketLinks:
    links: TicketLinks = request.app.state.links
    return links


async def _merges(request: Request) -> Merges:
    merges: Merges = request.app.state.merges
    return merges


async def _follow_ups(request: Request) -> FollowUps:
    follow_ups: FollowUps = request.app.state.follow_ups
    return follow_ups


async def _fields(request: Request) -> FieldService:
    fields: FieldService = request.app.state.fields
    return fields


async def _counter(request: Request) -> TicketCounter:
    counter: TicketCounter = request.app.state.counter
    return counter


async def _all_tags(request: Request) -> TagList:
    tags: TagList = request.app.state.tag_list
    return tags


async def _hand_overs(request: Request) -> HandOvers:
    hand_overs: HandOvers = request.app.state.hand_overs
    return hand_overs


async def _health(request: Request) -> HealthService:
    service: HealthService = request.app.state.health
    return service


async def _people(request: Request) -> People:
    people: People = request.app.state.people
    return people


async def _groups(request: Request) -> Groups:
    groups: Groups = request.app.state.groups
    return groups


async def _principals(request: Request) -> Principals:
    principals: Principals = request.app.state.principals
    return principals


async def _keys(request: Request) -> KeyService:
    keys: KeyService = request.app.state.keys
    return keys


async def _webhooks(request: Request) -> WebhookService:
    webhooks: WebhookService = request.app.state.webhooks
    return webhooks


async def _deliveries(request: Request) -> WebhookDeliveries:
    deliveries: WebhookDeliveries = request.app.state.webhook_deliveries
    return deliveries


async def _replays(request: Request) -> WebhookReplays:
    replays: WebhookReplays = request.app.state.webhook_replays
    return replays


async def _rules(request: Request) -> RuleService:
    rules: RuleService = request.app.state.rules
    return rules


async def _dry_runs(request: Request) -> RuleDryRuns:
    dry_runs: RuleDryRuns = request.app.state.rule_dry_runs
    return dry_runs


async def _feed(request: Request) -> EventFeed:
    feed: EventFeed = request.app.state.feed
    return feed


async def _streams(request: Request) -> EventStreams:
    streams: EventStreams = request.app.state.streams
    return streams


async def _caller(request: Request) -> Principal:
    principal: Principal = request.scope[PRINCIPAL_KEY]
    return principal


def _id(description: str, example: str) -> Any:  # noqa: ANN401 - FastAPI's own type
    return Path(description=description, examples=[example], max_length=ID_MAX_LENGTH, pattern=r"^[^\x00]+$")


Tickets = Annotated[TicketService, Depends(_tickets)]
Lists = Annotated[TicketLists, Depends(_lists)]
Assignments = Annotated[Assignment, Depends(_assignments)]
Tags = Annotated[TicketTags, Depends(_tags)]
Participants = Annotated[TicketParticipants, Depends(_participants)]
Links = Annotated[TicketLinks, Depends(_links)]
MergesOf = Annotated[Merges, Depends(_merges)]
FollowUpsOf = Annotated[FollowUps, Depends(_follow_ups)]
Health = Annotated[HealthService, Depends(_health)]
AllHandOvers = Annotated[HandOvers, Depends(_hand_overs)]
AllFields = Annotated[FieldService, Depends(_fields)]
Counter = Annotated[TicketCounter, Depends(_counter)]
AllTags = Annotated[TagList, Depends(_all_tags)]
AllPeople = Annotated[People, Depends(_people)]
AllGroups = Annotated[Groups, Depends(_groups)]
AllPrincipals = Annotated[Principals, Depends(_principals)]
AllKeys = Annotated[KeyService, Depends(_keys)]
AllWebhooks = Annotated[WebhookService, Depends(_webhooks)]
AllDeliveries = Annotated[WebhookDeliveries, Depends(_deliveries)]
AllReplays = Annotated[WebhookReplays, Depends(_replays)]
AllRules = Annotated[RuleService, Depends(_rules)]
DryRuns = Annotated[RuleDryRuns, Depends(_dry_runs)]
Feed = Annotated[EventFeed, Depends(_feed)]
Streams = Annotated[EventStreams, Depends(_streams)]
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
Page = Annotated[Paging, Query()]
CommentsPage = Annotated[CommentPaging, Query()]
ListQuery = Annotated[TicketQuery, Query()]
PeopleFilter = Annotated[PeopleQuery, Query()]
