"""The list of a requester: the tickets of the own address, and those that the requester participates in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Response
from pydantic_core import from_json

from desk.desk_request import DeskRequest
from desk.languages import N_
from desk.times import ShownTime
from desk.validation import validated
from models import TicketStatus
from schemas.lists import TicketQuery

# Whose turn it is, in the words of the requester.
TURNS: Final[Mapping[str, str]] = {
    TicketStatus.OPEN: N_("We answer next"),
    TicketStatus.AWAITING_REPLY: N_("We answer next"),
    TicketStatus.ANSWERED: N_("Answered: your turn"),
    TicketStatus.CLOSED: N_("Closed"),
}
_OPEN: Final = tuple(status.value for status in TicketStatus if status is not TicketStatus.CLOSED)
_FILTERS: Final[Mapping[str, Sequence[str]]] = {"open": _OPEN, "closed": (TicketStatus.CLOSED.value,), "": ()}


@dataclass(frozen=True, slots=True)
class OwnRow:
    """A ticket in the list."""

    id: int
    subject: str
    status: str
    turn: str
    updated: ShownTime


async def list_page(asked: DeskRequest) -> Response:
    """Return a page of the list, the latest change first.

    Raises RequestValidationError, InvalidCursor, SearchTimeout.
    """
    query = asked.request.query_params
    state, words = query.get("state", ""), query.get("q", "")
    given: dict[str, Any] = {"status": list(_FILTERS.get(state, ())), "q": words, "cursor": query.get("cursor", "")}
    wanted = {name: value for name, value in given.items() if value}
    page = await asked.services.lists.tickets(
        validated(TicketQuery, "query", sort="-updated_at", **wanted), asked.principal
    )
    context = {
        "rows": [_row(asked, ticket) for ticket in from_json(page.body)["items"]],
        "state": state if state in _FILTERS else "",
        "q": words,
        "next_query": None
        if page.next_cursor is None
        else urlencode({"state": state, "q": words, "cursor": page.next_cursor}),
    }
    return asked.page("my/list.html", context)


def _row(asked: DeskRequest, ticket: Mapping[str, Any]) -> OwnRow:
    turn = asked.text(TURNS[ticket["status"]])
    return OwnRow(ticket["id"], ticket["subject"], ticket["status"], turn, asked.clock.show(ticket["updated_at"]))
