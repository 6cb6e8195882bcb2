"""The services that only the administration calls, as `main` and `wiring` have built them."""

from dataclasses import dataclass

from desk.desk_request import DeskRequest
from services.access.key_service import KeyService
from services.automation.rule_dry_runs import RuleDryRuns
from services.automation.rule_service import RuleService
from services.directory.groups import Groups
from services.directory.hand_over import HandOvers
from services.directory.people import People
from services.sla.calendars import CalendarService
from services.sla.policies import SlaPolicies
from services.sla.recompute import Recomputation
from services.tickets.tag_list import TagList
from services.webhooks.deliveries import WebhookDeliveries
from services.webhooks.endpoints import WebhookService
from services.webhooks.replays import WebhookReplays


@dataclass(frozen=True, slots=True)
class AdminServices:
    """The services."""

    people: People
    hand_overs: HandOvers
    groups: Groups
    keys: KeyService
    tags: TagList
    calendars: CalendarService
    policies: SlaPolicies
    recomputation: Recomputation
    rules: RuleService
    rule_dry_runs: RuleDryRuns
    webhooks: WebhookService
    deliveries: WebhookDeliveries
    replays: WebhookReplays


def admin_services(asked: DeskRequest) -> AdminServices:
    """Return the services of the application."""
    state = asked.request.app.state
    return AdminServices(
        state.people,
        state.hand_overs,
        state.groups,
        state.keys,
        state.tag_list,
        state.calendars,
        state.policies,
        state.recomputation,
        state.rules,
        state.rule_dry_runs,
        state.webhooks,
        state.webhook_deliveries,
        state.webhook_replays,
    )
