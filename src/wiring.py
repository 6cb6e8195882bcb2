"""The wiring of the services of tickets, and of what agents use to work on them. `main` calls it once."""

from starlette.datastructures import State

from core.settings import Settings
from db.resources import Resources
from services.automation.auto_close import AutoCloseTimes
from services.automation.reminders import Reminders
from services.automation.rule_dry_runs import RuleDryRuns
from services.automation.rule_service import RuleService
from services.automation.settings import AutomationDefinitions
from services.bulk.bulk_changes import BulkChanges
from services.canned.replies import CannedReplies
from services.cursors import StoredCursors
from services.directory.assignees import Assignees
from services.directory.hand_over import HandOvers
from services.drafts.drafts import Drafts
from services.events.publisher import EventPublisher
from services.fields.definitions import FieldDefinitions
from services.fields.service import FieldService
from services.links.follow_ups import FollowUps
from services.links.links import TicketLinks
from services.links.merges import Merges
from services.numbers.happened import NumbersOfThePast
from services.numbers.now import NumbersOfNow
from services.presence.presences import Presences
from services.sla.calendars import CalendarService
from services.sla.policies import SlaPolicies
from services.sla.recompute import Recomputation
from services.tickets.assignment import Assignment
from services.tickets.changes import TicketChanges
from services.tickets.counts import TicketCounter
from services.tickets.lists import TicketLists
from services.tickets.participants import TicketParticipants
from services.tickets.service import TicketService
from services.tickets.tag_list import TagList
from services.tickets.tags import TicketTags
from services.tickets.working_fields import WorkingFields
from services.views.views import Views


def build_tickets(state: State, resources: Resources, settings: Settings) -> None:
    """Build the services of tickets: all of them write through one TicketChanges."""
    database, cache = resources.database, resources.cache
    close = AutoCloseTimes(settings.auto_close_after, settings.auto_close_notice)
    automation = AutomationDefinitions(database, close)
    changes = TicketChanges(database, cache, resources.groups, automation)
    state.automation, state.changes = automation, changes
    state.policies = SlaPolicies(database, automation)
    state.recomputation = Recomputation(database, changes, state.policies, automation)
    state.reminders = Reminders(database, StoredCursors(database))
    state.rules, state.rule_dry_runs = RuleService(database, automation), RuleDryRuns(database)
    state.publisher = EventPublisher(database, changes.committed)
    definitions, assignees = FieldDefinitions(database), Assignees(database)
    working_fields = WorkingFields(assignees, definitions)
    state.working_fields = working_fields
    state.fields = FieldService(database, definitions, resources.groups)
    state.calendars = CalendarService(database, automation)
    state.tickets = TicketService(database, cache, changes, working_fields)
    state.lists = TicketLists(database, definitions)
    state.counter = TicketCounter(database, definitions)
    state.tag_list = TagList(database, changes, StoredCursors(database))
    state.assignment = Assignment(changes)
    state.ticket_tags = TicketTags(changes)
    state.participants = TicketParticipants(database, changes, definitions)
    state.links = TicketLinks(changes)
    state.merges = Merges(database, changes, definitions)
    state.follow_ups = FollowUps(database, changes, working_fields)
    state.hand_overs = HandOvers(database, changes, state.people, assignees)


def build_desk_services(state: State, resources: Resources) -> None:
    """Build the services of what agents use to work; see docs/desk-services.md."""
    database = resources.database
    state.drafts = Drafts(database)
    state.bulk_changes = BulkChanges(database, state.counter, state.working_fields)
    state.presences = Presences(resources.presence)
    state.numbers_of_now = NumbersOfNow(database, state.counter)
    state.numbers_of_the_past = NumbersOfThePast(database)
    state.views = Views(database, state.counter)
    state.canned_replies = CannedReplies(database, StoredCursors(database))
