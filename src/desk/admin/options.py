"""The options of inputs: words of the API, and the names of people, groups and calendars."""

from typing import Final

from desk import words
from desk.desk_request import DeskRequest
from desk.languages import N_
from models import Role, Scope

Options = list[tuple[str, str]]

ROLES: Final = (
    (Role.ADMIN.value, N_("Admin")),
    (Role.AGENT.value, N_("Agent")),
    (Role.REQUESTER.value, N_("Requester")),
    (Role.MONITOR.value, N_("Monitor")),
)
SCOPES: Final = tuple((scope.value, scope.value) for scope in Scope)
PRIORITIES: Final = tuple((value, word) for value, word in words.PRIORITIES.items())
STATUSES: Final = tuple((value, word) for value, word in words.STATUSES.items())


async def staff_options(asked: DeskRequest) -> Options:
    """Return the agents, admins and service accounts that can be assignees."""
    staff = await asked.services.staff.current()
    return [(each.id, each.name) for each in staff.members.values() if each.is_assignable]


async def group_options(asked: DeskRequest) -> Options:
    """Return the active groups."""
    staff = await asked.services.staff.current()
    return [(str(each.id), each.name) for each in staff.groups.values() if each.is_active]
