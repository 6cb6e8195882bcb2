"""The list page: a page of tickets with its filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Response
from markupsafe import Markup
from pydantic_core import from_json

from desk import words
from desk.desk_request import DeskRequest
from desk.languages import N_, Language
from desk.list_query import ListQuery
from desk.ticket_rows import RowMaker
from services.directory.staff import Staff

_NAMES: Final = {
    "status": N_("Status"),
    "priority": N_("Priority"),
    "assignee": N_("Assignee"),
    "group": N_("Group"),
    "tag": N_("Tag"),
    "email": N_("Requester"),
    "participant": N_("Participant"),
    "q": N_("Words"),
    "sla": N_("Service level"),
    "created_after": N_("Created since"),
    "created_before": N_("Created before"),
    "updated_after": N_("Changed since"),
    "updated_before": N_("Changed before"),
    "closed_after": N_("Closed since"),
    "closed_before": N_("Closed before"),
    "due_before": N_("Due before"),
    "external_id": N_("External id"),
    "source": N_("Source"),
    "follow_up_of": N_("Follow-up of"),
    "merged_into": N_("Merged into"),
    "snoozed": N_("Snoozed"),
}
DEFAULT_SORT: Final = "-id"
_ME: Final = N_("me")
_NONE: Final = N_("none")


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that applies, and the query of the list without it."""

    name: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class TicketList:
    """What the list page shows. `next_query` is that of the following page, None on the last one."""

    rows: Markup
    chips: Sequence[Chip]
    query: ListQuery
    sort: str
    next_query: str | None
    is_first: bool
    api_query: str


async def ticket_list(asked: DeskRequest) -> TicketList:
    """Return the page of the list that a request asks for.

    Raises RequestValidationError, InvalidCursor, SearchTimeout, and what the lists raise.
    """
    query = ListQuery(asked.request.scope["query_string"])
    wanted = query.for_service(asked.viewer.zone)
    staff = await asked.services.staff.current()
    page = await asked.services.lists.tickets(wanted, asked.principal)
    maker = RowMaker(asked.viewer.language, asked.clock, staff, asked.root)
    tickets: list[dict[str, Any]] = from_json(page.body)["items"]
    return TicketList(
        maker.rows(tickets),
        [
            Chip(
                asked.text(_NAMES.get(name, name)),
                _shown(name, value, asked.viewer.language, staff),
                query.without((name, value)),
            )
            for name, value in query.filters
        ],
        query,
        wanted.sort,
        None if page.next_cursor is None else query.with_cursor(page.next_cursor),
        wanted.cursor is None,
        urlencode(query.for_api(asked.viewer.zone), doseq=True),
    )


async def filters_page(asked: DeskRequest) -> Response:
    """Return the form of the filters, with those of the query. Raises RequestValidationError."""
    query = ListQuery(asked.request.scope["query_string"])
    staff = await asked.services.staff.current()
    return asked.page("filters.html", {"query": query, "staff": staff, "sort": query.value("sort") or DEFAULT_SORT})


async def ticket_row(asked: DeskRequest, ticket_id: int) -> Markup:
    """Return the row of one ticket. Raises TicketNotFound and what the lookup raises."""
    stored, _ = await asked.services.tickets.look_up(ticket_id, asked.principal)
    staff = await asked.services.staff.current()
    return RowMaker(asked.viewer.language, asked.clock, staff, asked.root).rows([from_json(stored.body)])


def _shown(name: str, value: str, language: Language, staff: Staff) -> str:
    """Return a value of a filter as people say it."""
    by_name = {"status": words.STATUSES, "priority": words.PRIORITIES, "sla": words.SLA_STATES}
    if name in by_name and value in by_name[name]:
        return language.gettext(by_name[name][value])
    if name in {"assignee", "group"} and value in {"me", "none"}:
        return language.gettext(_ME if value == "me" else _NONE)
    if name == "assignee":
        return staff.name_of(value)
    return staff.group_name(int(value)) if name == "group" and value.isdigit() else value
