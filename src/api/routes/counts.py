"""The numbers of tickets by a field."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import Caller, Counter
from api.http.checked_route import CheckedRoute
from api.openapi import responses as docs
from api.openapi.responses import READS, responses
from core.errors import InvalidFields, SearchTimeout
from schemas.counts import CountsQuery, TicketCounts

router = APIRouter(prefix="/tickets/counts", tags=["tickets"], route_class=CheckedRoute)


@router.get(
    "",
    response_model_exclude_none=False,
    responses=responses(READS, docs.COUNTS, InvalidFields, SearchTimeout),
)
async def count_tickets(query: Annotated[CountsQuery, Query()], counter: Counter, principal: Caller) -> TicketCounts:
    """Count tickets.

    Returns the numbers of the tickets that match all filters, by the values of a field. Each number is exact up to
    10,000; beyond it, `more_than` stands in place of `count`. A filter `custom.KEY=VALUE` applies as in the list. A
    requester counts the tickets that they see, by status or by priority.
    """
    return await counter.count(query, principal)
